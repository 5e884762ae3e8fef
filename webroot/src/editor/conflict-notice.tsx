/** Somebody else changed or deleted the job under our hands: what they did, and what may follow. */
import type { Job } from '../../../shared/job/definition.ts';
import { useMessages } from '../i18n/language.ts';
import { Icon } from '../ui/icon.tsx';
import { ChangesTable } from './changes-panel.tsx';
import { diffJobs } from './job-diff.ts';
import { editorMessages } from './messages.ts';

interface ConflictNoticeProps {
  /** What the editing began with. */
  readonly base: Job | undefined;
  /** What stands there now; undefined when it was deleted or is no valid job. */
  readonly theirs: Job | undefined;
  readonly deleted: boolean;
  readonly onTakeTheirs: () => void;
  readonly onKeepMine: () => void;
}

export function ConflictNotice(props: ConflictNoticeProps) {
  const text = useMessages(editorMessages);
  const { base, theirs, deleted } = props;
  return (
    <section className="notice conflict" role="alert" data-testid="conflict">
      <Icon name="alert" />
      <div>
        <h2>{text.conflictTitle}</h2>
        <p>{deleted ? text.conflictGone : text.conflictText}</p>
        {base && theirs && <ChangesTable changes={diffJobs(base, theirs)} />}
        <div className="notice-actions">
          {!deleted && (
            <button type="button" className="button" onClick={props.onTakeTheirs}>
              {text.takeTheirs}
            </button>
          )}
          <button type="button" className="button" onClick={props.onKeepMine}>
            {text.keepMine}
          </button>
        </div>
      </div>
    </section>
  );
}
