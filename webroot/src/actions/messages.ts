/** Words of the things one can do to a job or a run, wherever the button stands. */
import type { Messages } from '../i18n/language.ts';

const en = {
  willRun: (name: string) => `${name} will run now`,
  watchIt: 'Watch it',
  notYet: (name: string) => `${name} has not started yet`,
  notYetDetail: 'No worker has claimed it so far; it stands among the runs as soon as one does.',
  paused: (name: string) => `${name} is paused`,
  pausedDetail: 'Its schedule rests; run now still works.',
  resumed: (name: string) => `${name} is resumed`,
  deleted: (name: string) => `${name} is deleted`,
  killAsked: (name: string) => `Asked ${name} to stop`,
  killAskedDetail: 'How it ends is told here.',
  killDone: (name: string, count: number) =>
    count === 1 ? `${name} was killed` : `${count} runs of ${name} were killed`,
  killLate: (name: string) => `Nothing to kill: ${name} had ended before`,
  killNothing: (name: string) => `Nothing to kill: no run of ${name} was open`,
  killLateHow: (outcome: string) => `It ${outcome}.`,
  killSome: (others: number) =>
    others === 1 ? 'Another had ended before.' : `${others} others had ended before.`,
  killLost: (name: string) => `The run of ${name} is lost`,
  killLostDetail: 'Its worker vanished before it could answer the order.',
  killUnanswered: (name: string) => `Nobody answered the order to kill ${name}`,
  killUnansweredDetail: (workers: string) =>
    `${workers} did not carry it out before the order ran out. If it is gone, the run will be settled as lost; if it is there, give the order again.`,
  deleteTitle: (name: string) => `Delete ${name}?`,
  deleteText: 'Its definition goes and it fires no more. Runs under way finish; its history stays.',
  deleteConfirm: 'Delete job',
  killTitle: (name: string) => `Kill what ${name} is running?`,
  killText: 'Its whole process group gets TERM, and KILL when the grace of the job is over.',
  killConfirm: 'Kill',
  keepRunning: 'Keep running',
  changedMeanwhile: (name: string) => `${name} was changed meanwhile`,
  changedDetail: 'Nothing was done. The list now shows its newest definition.',
  failedTo: {
    run: 'Could not run',
    pause: 'Could not pause',
    resume: 'Could not resume',
    delete: 'Could not delete',
    kill: 'Could not kill',
  },
};

const zh: typeof en = {
  willRun: (name) => `${name} 即将运行`,
  watchIt: '查看',
  notYet: (name) => `${name} 尚未开始`,
  notYetDetail: '还没有工作节点领取；一旦领取就会出现在运行列表中。',
  paused: (name) => `${name} 已暂停`,
  pausedDetail: '不再按计划触发；仍可立即运行。',
  resumed: (name) => `${name} 已恢复`,
  deleted: (name) => `${name} 已删除`,
  killAsked: (name) => `已要求 ${name} 停止`,
  killAskedDetail: '结果会在此处告知。',
  killDone: (name, count) => (count === 1 ? `${name} 已终止` : `${name} 的 ${count} 次运行已终止`),
  killLate: (name) => `无可终止：${name} 此前已结束`,
  killNothing: (name) => `无可终止：${name} 没有正在进行的运行`,
  killLateHow: (outcome) => `结果：${outcome}。`,
  killSome: (others) => `另有 ${others} 次此前已结束。`,
  killLost: (name) => `${name} 的运行已失联`,
  killLostDetail: '其工作节点在响应命令之前消失了。',
  killUnanswered: (name) => `没有节点响应终止 ${name} 的命令`,
  killUnansweredDetail: (workers) =>
    `${workers} 未在命令失效前执行。若该节点已消失，运行会被判定为失联；若仍在，请再次下达命令。`,
  deleteTitle: (name) => `删除 ${name}？`,
  deleteText: '其定义将被删除并不再触发。正在进行的运行会继续完成，历史记录保留。',
  deleteConfirm: '删除任务',
  killTitle: (name) => `终止 ${name} 正在进行的运行？`,
  killText: '整个进程组会收到 TERM，宽限期结束后收到 KILL。',
  killConfirm: '终止',
  keepRunning: '继续运行',
  changedMeanwhile: (name) => `${name} 已被他人修改`,
  changedDetail: '未执行任何操作。列表已显示最新定义。',
  failedTo: {
    run: '无法运行',
    pause: '无法暂停',
    resume: '无法恢复',
    delete: '无法删除',
    kill: '无法终止',
  },
};

export const actionMessages: Messages<typeof en> = { en, zh };
