/** Words of the workers room. */
import type { WorkerItem } from '../api/shapes.ts';
import type { Messages } from '../i18n/language.ts';

const en = {
  title: 'Workers',
  state: {
    ready: 'ready',
    draining: 'draining',
    blocked: 'claims nothing',
  } satisfies Record<WorkerItem['state'], string> as Record<WorkerItem['state'], string>,
  stateHint: {
    ready: 'claims fires',
    draining: 'finishes what it has, claims nothing new',
    blocked: 'claims nothing, see why',
  } satisfies Record<WorkerItem['state'], string> as Record<WorkerItem['state'], string>,
  slots: 'Slots',
  slotsUsed: (running: number, slots: number) => `${running} of ${slots} in use`,
  load: 'Load',
  loadTitle: 'Load averages over 1, 5 and 15 minutes',
  clock: 'Clock',
  clockTitle: "The worker's clock minus the fleet's; beyond one second it claims nothing.",
  unknown: 'not compared yet',
  beat: 'Last beat',
  up: 'Up',
  version: 'Version',
  process: (pid: number) => `pid ${pid}`,
  session: 'Session',
  backlog: 'History to store',
  backlogTitle: 'History on the disk of the worker that is not in the store yet',
  backlogNone: 'none',
  backlogOf: (records: number, bytes: string) =>
    `${records.toLocaleString('en')} ${records === 1 ? 'record' : 'records'}, ${bytes}`,
  notStored: (why: string) => `History waits on its disk: ${why}`,
  rejected: (records: number) =>
    `The store refused ${records} ${records === 1 ? 'record' : 'records'}: see rejected.jsonl in the folder of its spool`,
  runs: 'Its runs',
  summary: (count: number, running: number, slots: number) =>
    `${count} ${count === 1 ? 'worker' : 'workers'}, ${running} of ${slots} slots in use`,
  emptyTitle: 'No worker is here',
  emptyText:
    'Without a worker nothing fires. Start one on any machine that reaches etcd; it needs no other address, and nobody dials it.',
  emptyCommand: 'Start a worker',
};

const zh: typeof en = {
  title: '工作节点',
  state: { ready: '就绪', draining: '排空中', blocked: '不领取任务' },
  stateHint: {
    ready: '领取触发',
    draining: '完成手头运行，不再领取',
    blocked: '不领取，原因见下',
  },
  slots: '槽位',
  slotsUsed: (running, slots) => `${running} / ${slots} 使用中`,
  load: '负载',
  loadTitle: '1、5、15 分钟平均负载',
  clock: '时钟',
  clockTitle: '该节点时钟与整体之差；超过一秒则不领取任务。',
  unknown: '尚未比对',
  beat: '最近心跳',
  up: '已运行',
  version: '版本',
  process: (pid) => `进程 ${pid}`,
  session: '会话',
  backlog: '待入库历史',
  backlogTitle: '该节点磁盘上尚未写入存储的历史',
  backlogNone: '无',
  backlogOf: (records, bytes) => `${records.toLocaleString('zh')} 条，${bytes}`,
  notStored: (why) => `历史暂存于本机磁盘：${why}`,
  rejected: (records) => `存储拒绝了 ${records} 条记录：见其 spool 目录中的 rejected.jsonl`,
  runs: '其运行',
  summary: (count, running, slots) => `${count} 个工作节点，${running} / ${slots} 槽位使用中`,
  emptyTitle: '没有工作节点',
  emptyText: '没有工作节点就不会触发任何任务。在任何能连接 etcd 的机器上启动即可，无需其他地址。',
  emptyCommand: '启动工作节点',
};

export const workersMessages: Messages<typeof en> = { en, zh };
