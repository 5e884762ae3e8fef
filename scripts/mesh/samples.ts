/**
 * Jobs worth watching on a first start. Created once per data folder, so that one a person deletes
 * stays deleted.
 */
import type { JobInput } from '../../shared/job/definition.ts';

export function sampleJobs(data: string): readonly JobInput[] {
  return [
    {
      name: 'clock',
      description: 'Every second, on whichever worker wins the race.',
      group: 'samples',
      cronExpr: '* * * * * *',
      command: 'echo "It is $(date +%T), tick $CRON_TICK, fence $CRON_FENCE"',
    },
    {
      name: 'flaky-check',
      description: 'Fails about one time in four, as checks do.',
      group: 'samples',
      cronExpr: '*/5 * * * * *',
      command: [
        'n=$(od -An -N1 -tu1 /dev/urandom | tr -d " ")',
        'echo "drew $n"',
        'if [ "$n" -lt 64 ]; then echo "upstream answered 503" >&2; exit 1; fi',
        'echo "all well"',
      ].join('\n'),
    },
    {
      name: 'long-import',
      description:
        'Runs for 80 seconds: watch its output live, and kill it. While it runs, the next fire is skipped.',
      group: 'samples',
      cronExpr: '0 * * * * *',
      killGraceSeconds: 5,
      command: [
        'trap \'echo "told to stop; rolling back"; exit 143\' TERM',
        'i=1',
        'while [ $i -le 80 ]; do echo "importing batch $i of 80"; i=$((i+1)); sleep 1; done',
      ].join('\n'),
    },
    {
      name: 'chatty-report',
      description: 'Prints a lot, in colour, some of it on stderr.',
      group: 'samples',
      cronExpr: '*/30 * * * * *',
      command: [
        'i=1',
        'while [ $i -le 2000 ]; do',
        '  printf "\\033[32mok\\033[0m   row %05d  checksum %s\\n" $i "$CRON_RUN_ID"',
        '  if [ $((i % 500)) -eq 0 ]; then printf "\\033[33mwarn\\033[0m slow row %05d\\n" $i >&2; fi',
        '  i=$((i+1))',
        'done',
      ].join('\n'),
    },
    {
      name: 'tokyo-morning',
      description: 'Nine in the morning on working days in Tokyo, wherever the workers are.',
      group: 'samples',
      timezone: 'Asia/Tokyo',
      cronExpr: '0 0 9 * * MON-FRI',
      command: 'echo "Good morning, Tokyo: $(TZ=Asia/Tokyo date)"',
    },
    {
      name: 'disk-space',
      description: 'Fails when a file system is over 90 % full.',
      group: 'upkeep',
      cronExpr: '0 * * * * *',
      command: [
        'df -P -x tmpfs -x devtmpfs 2>/dev/null || df -P',
        'full=$(df -P 2>/dev/null | awk \'NR > 1 && $1 ~ /^\\// && $5 + 0 > 90 { print $6 " is " $5 " full" }\')',
        'if [ -n "$full" ]; then echo "$full" >&2; exit 1; fi',
      ].join('\n'),
    },
    {
      name: 'rotate-mesh-logs',
      description:
        "Keeps this mesh's own log files below 20 MB: compresses a copy, then empties the file.",
      group: 'upkeep',
      cronExpr: '@hourly',
      env: { LOGS: `${data}/logs` },
      command: [
        'set -e',
        'cd "$LOGS"',
        'find . -name "*.log" -size +20M | while read -r f; do',
        '  gzip -c "$f" > "$f.1.gz" && : > "$f" && echo "rotated $f"',
        'done',
        'du -sh .',
      ].join('\n'),
    },
  ];
}
