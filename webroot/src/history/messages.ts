/** Words of lists of runs. */
import type { Messages } from '../i18n/language.ts';

const en = {
  title: 'Runs',
  tableLabel: 'Runs, newest first',
  column: {
    outcome: 'Outcome',
    job: 'Job',
    due: 'Due',
    took: 'Took',
    worker: 'Worker',
    why: 'Why',
  },
  attempt: (attempt: number) => `attempt ${attempt}`,
  fires: (count: number) => `${count} fires`,
  late: (span: string) => `${span} late`,
  waiting: (count: number) => `${count} newer`,
  outcomeLabel: 'Filter by outcome',
  all: 'All',
  jobLabel: 'Job',
  anyJob: 'Any job',
  workerLabel: 'Worker',
  anyWorker: 'Any worker',
  shown: (count: number, more: boolean) => `${count}${more ? '+' : ''} shown`,
  emptyTitle: 'Nothing has run yet',
  emptyText: 'Runs stand here as soon as a job fires. Run one now, or create the first.',
  emptyCommand: 'Run a job from a terminal',
  toJobs: 'Go to jobs',
  noMatchTitle: 'No run matches',
  noMatchText: 'Nothing in the history fits these filters.',
};

const zh: typeof en = {
  title: '运行',
  tableLabel: '运行，最新在前',
  column: {
    outcome: '结果',
    job: '任务',
    due: '应触发',
    took: '用时',
    worker: '工作节点',
    why: '原因',
  },
  attempt: (attempt) => `第 ${attempt} 次`,
  fires: (count) => `${count} 次触发`,
  late: (span) => `晚 ${span}`,
  waiting: (count) => `${count} 条更新`,
  outcomeLabel: '按结果筛选',
  all: '全部',
  jobLabel: '任务',
  anyJob: '任意任务',
  workerLabel: '工作节点',
  anyWorker: '任意工作节点',
  shown: (count, more) => `已显示 ${count}${more ? '+' : ''}`,
  emptyTitle: '还没有运行',
  emptyText: '任务一触发就会出现在这里。可立即运行一个，或新建第一个任务。',
  emptyCommand: '从终端运行任务',
  toJobs: '前往任务',
  noMatchTitle: '没有匹配的运行',
  noMatchText: '历史中没有符合这些筛选条件的记录。',
};

export const historyMessages: Messages<typeof en> = { en, zh };
