/**
 * `/metrics` as Prometheus text. What is of one mesh has the name of its cell as a label, where there
 * are cells.
 */
import { renderMetric, type Sample } from '../http/http-metrics.ts';
import { cellPart, type CellHealth, type HealthDeps } from './health-parts.ts';

export function metricsText({ version, cells, streams, requests }: HealthDeps): string {
  const build = { version, node: process.version };
  const ofEach = (valueOf: (cell: CellHealth) => number): Sample[] =>
    cells.map((cell) => ({ labels: cellPart(cell.name), value: valueOf(cell) }));
  return [
    renderMetric('cronmesh_build_info', 'gauge', 'Always 1.', [{ labels: build, value: 1 }]),
    renderMetric(
      'cronmesh_jobs',
      'gauge',
      'Jobs, by what stands in the way of their schedule.',
      cells.flatMap(jobSamples),
    ),
    renderMetric(
      'cronmesh_open_fires',
      'gauge',
      'Runs under way.',
      ofEach(({ openFires }) => openFires.count),
    ),
    renderMetric(
      'cronmesh_workers',
      'gauge',
      'Workers that are alive, by state.',
      cells.flatMap(workerSamples),
    ),
    renderMetric(
      'cronmesh_view_connected',
      'gauge',
      '1 while the view of etcd is current.',
      ofEach(({ link }) => (link.status.etcd === 'ok' ? 1 : 0)),
    ),
    renderMetric('cronmesh_live_streams', 'gauge', 'Open server-sent-event streams.', [
      { value: streams.count },
    ]),
    renderMetric(
      'cronmesh_history_pruned_rows_total',
      'counter',
      'Rows of history that this master deleted because they were not to be kept longer.',
      ofEach(({ storage }) => storage.rowsPruned),
    ),
    storageText(cells),
    requests.render(),
  ].join('');
}

function jobSamples({ name, index }: CellHealth): Sample[] {
  const [paused, quarantined] = [index.count('paused'), index.count('quarantined')];
  const active = index.total - paused - quarantined;
  return byLabel('kind', { active, paused, quarantined }, name);
}

function workerSamples({ name, link }: CellHealth): Sample[] {
  const workers = { ready: 0, draining: 0, blocked: 0 };
  for (const { value } of link.view.snapshot.workers.values()) workers[value.state]++;
  return byLabel('state', workers, name);
}

/** Nothing before it is known of any. */
function storageText(cells: readonly CellHealth[]): string {
  const known = cells.flatMap(({ name, storage }) => {
    const use = storage.latest();
    return use === undefined ? [] : [{ name, use }];
  });
  if (known.length === 0) return '';
  return [
    renderMetric(
      'cronmesh_history_bytes',
      'gauge',
      'What history takes on disk with its indexes, and what of that is free for new rows.',
      known.flatMap(({ name, use: { bytes, freeBytes } }) =>
        byLabel(
          'kind',
          { total: bytes, ...(freeBytes === undefined ? {} : { free: freeBytes }) },
          name,
        ),
      ),
    ),
    renderMetric(
      'cronmesh_history_rows',
      'gauge',
      'Rows of history.',
      known.map(({ name, use }) => ({ labels: cellPart(name), value: use.rows })),
    ),
  ].join('');
}

function byLabel(
  label: string,
  values: Readonly<Record<string, number>>,
  name: string | undefined,
): Sample[] {
  return Object.entries(values).map(([text, value]) => ({
    labels: { [label]: text, ...cellPart(name) },
    value,
  }));
}
