/** A table of history, newest first, fetched page by page. New rows wait while the mouse is over it. */
import type { HistoryRow } from '../../../shared/history/records.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { useHeldOrder } from '../ui/use-held.ts';
import { VirtualList } from '../ui/virtual-list.tsx';
import { historyMessages } from './messages.ts';
import { RunRow } from './run-row.tsx';
import './run-table.css';

const idOf = (row: HistoryRow): string => row.id;

interface RunTableProps {
  readonly rows: readonly HistoryRow[];
  readonly scope: string;
  readonly showJob: boolean;
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  readonly onMore: () => void;
}

export function RunTable(props: RunTableProps) {
  const { rows, scope, showJob, hasMore, loadingMore, onMore } = props;
  const text = useMessages(historyMessages);
  const common = useMessages(commonMessages);
  const { items, gone, waiting, handlers } = useHeldOrder(rows, scope, idOf);
  return (
    <>
      <div
        className={showJob ? 'run-table panel' : 'run-table one-job panel'}
        role="table"
        aria-label={text.tableLabel}
        {...handlers}
      >
        <div className="run-table-head" role="row" aria-rowindex={1}>
          <div role="columnheader">
            {waiting > 0 && <span className="waiting num">{text.waiting(waiting)}</span>}
          </div>
          <div role="columnheader">{text.column.outcome}</div>
          {showJob && <div role="columnheader">{text.column.job}</div>}
          <div role="columnheader">{text.column.due}</div>
          <div role="columnheader">{text.column.took}</div>
          <div role="columnheader">{text.column.worker}</div>
          <div role="columnheader">{text.column.why}</div>
        </div>
        <VirtualList
          items={items}
          idOf={idOf}
          estimatedHeight={47}
          rowClass={(row) => `run-row ${row.kind} ${gone.has(row.id) ? 'gone' : ''}`}
          rowTestId={(row) => `run-row-${row.id}`}
          renderRow={(row) => <RunRow row={row} showJob={showJob} />}
          hasMore={hasMore}
          onEndNear={onMore}
        />
      </div>
      <footer className="list-foot muted num">
        {text.shown(items.length, hasMore)}
        {hasMore && (
          <button type="button" className="button small" onClick={onMore}>
            {loadingMore ? common.loading : common.loadMore}
          </button>
        )}
      </footer>
    </>
  );
}
