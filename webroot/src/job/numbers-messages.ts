/** Words of the pictures of a job's history. */
import type { Messages } from '../i18n/language.ts';

const en = {
  title: 'Success by day',
  zone: (zone: string) => `days of ${zone}`,
  calendarLabel: (summary: string) => `Success by day, the last year. ${summary}`,
  summary: (rate: string, runs: string) => `${rate} of ${runs} runs succeeded`,
  separator: ', ',
  notRun: (count: string) => `fires not run: ${count}`,
  dayText: (date: string, rate: string | undefined) =>
    rate === undefined ? date : `${date}: ${rate} succeeded`,
  open: 'Open the runs of that day',
  legend: {
    none: 'nothing due',
    succeeded: 'all succeeded',
    mixed: 'some failed',
    failed: 'all failed',
    'not-run': 'fires not run',
  },
  emptyTitle: 'No day to show yet',
  emptyText: 'Each day on which it runs becomes a square here, for a year. Run it once to see one.',
  emptyCommand: 'Run it from a terminal',
  trendTitle: 'How long it takes',
  trendLabel: (runs: number, p50: string, p95: string) =>
    `How long the newest ${runs} runs took: half of them at most ${p50}, 95 of 100 at most ${p95}`,
  trendRuns: (runs: number) => `newest ${runs} runs`,
  slower: (percent: string) => `${percent} slower than before`,
  faster: (percent: string) => `${percent} faster than before`,
  steady: 'as long as before',
  trendTooFew: 'Two runs that have ended make a trend.',
};

const zh: typeof en = {
  title: '每日成功率',
  zone: (zone) => `按 ${zone} 的日期`,
  calendarLabel: (summary) => `最近一年的每日成功率。${summary}`,
  summary: (rate, runs) => `${runs} 次运行中 ${rate} 成功`,
  separator: '，',
  notRun: (count) => `未运行的触发：${count}`,
  dayText: (date, rate) => (rate === undefined ? date : `${date}：${rate} 成功`),
  open: '打开当天的运行',
  legend: {
    none: '无触发',
    succeeded: '全部成功',
    mixed: '部分失败',
    failed: '全部失败',
    'not-run': '触发未运行',
  },
  emptyTitle: '还没有可显示的日期',
  emptyText: '每个有运行的日期会在这里成为一个方格，保留一年。运行一次即可看到。',
  emptyCommand: '在终端中运行',
  trendTitle: '运行用时',
  trendLabel: (runs, p50, p95) => `最近 ${runs} 次运行的用时：一半不超过 ${p50}，95% 不超过 ${p95}`,
  trendRuns: (runs) => `最近 ${runs} 次运行`,
  slower: (percent) => `比之前慢 ${percent}`,
  faster: (percent) => `比之前快 ${percent}`,
  steady: '与之前相当',
  trendTooFew: '至少两次已结束的运行才能显示趋势。',
};

export const numbersMessages: Messages<typeof en> = { en, zh };
