/** Prometheus text (exposition format 0.0.4), as much of it as a master needs. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export function renderMetric(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: readonly Sample[],
): string {
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/**
 * Requests answered, by route, class of status and, where there are cells, cell: as many series as
 * there are routes in all, times five.
 */
export class RequestCounter {
  readonly #counts = new Map<string, { labels: Record<string, string>; value: number }>();

  count(method: string, route: string, status: number, cell?: string): void {
    const labels = {
      method,
      route,
      status: `${Math.floor(status / 100)}xx`,
      ...(cell === undefined ? {} : { cell }),
    };
    const key = Object.values(labels).join(' ');
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { labels, value: 1 });
    else known.value++;
  }

  render(): string {
    return renderMetric(
      'cronmesh_http_requests_total',
      'counter',
      'Requests answered, by route and class of status.',
      [...this.#counts.values()],
    );
  }
}
