/**
 * Guards that no seed can be expected to miss, and why they stay. What stands here and is noticed after
 * all is told as noticed.
 */
export const impliedGuards: ReadonlyMap<string, string> = new Map([
  [
    'session begins: no such session key',
    'a lease’s id never comes back; sent again, it writes the same',
  ],
  ['claimTick: this fire not there (other limits)', 'follows from the cursor exactly as seen'],
  ['claimTrigger: this fire not there (other limits)', 'follows from the trigger exactly as seen'],
  [
    'refuseTrigger: session alive',
    'against waste: right whoever made it, and the outbox of a dead session is emptied',
  ],
  ['queueTick: cursor exactly as seen', 'follows from no trigger waits, and every holder as seen'],
  ['settleVanished: its session gone', 'a lease’s id never comes back: gone once, gone for ever'],
  [
    'settleLateClaim: own session alive',
    'against waste: the fire as seen is enough, whoever settles it',
  ],
  [
    'reownFire: new session alive',
    'a fire of a dead session is settled, whichever of two dead ones it names',
  ],
  [
    'reownFire: a guarded run that was settled is killed',
    'the guardian ended it at the deadline, before anybody may settle it',
  ],
  [
    'sweepTombstone: tombstone as seen',
    'a job that was made anew is there, or has left a younger tombstone a life ago',
  ],
  ['sweepTombstone: no fire', 'nothing comes into it while there is no job'],
  ['sweepTombstone: no trigger', 'nothing comes into it while there is no job'],
  ['sweepTombstone: no done record', 'the outbox empties it, whether or not there is a cursor'],
  ['sweepTombstone: own session alive', 'against waste: right whoever made it'],
  ['dropOrder: order as seen', 'its run is over, and a run’s id never comes back'],
  [
    'sweepTombstone: job absent',
    'a job made anew by the protocol changes its cursor, and one put by hand begins at now, with a tombstone or without',
  ],
  [
    'sweepTombstone: tombstone as seen',
    'follows from the job’s absence: nothing else moves its cursor',
  ],
  ['sweepTombstone: no fire', 'the sweeper saw none, and none can come while there is no job'],
  ['sweepTombstone: no trigger', 'the sweeper saw none, and none can come while there is no job'],
  [
    'sweepTombstone: no done record',
    'the sweeper saw none, and none can come while there is no job',
  ],
  ['sweepTombstone: own session alive', 'against waste: right whoever makes it'],
  ['forgetDone: record as spooled', 'a record is put once, under an id made from its content'],
]);
