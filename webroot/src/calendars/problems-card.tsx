/** Why what is stored is no calendar, and what it is. */
import type { FieldProblem } from '../../../shared/errors.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';

export function ProblemsCard({
  problems,
  raw,
}: {
  readonly problems: readonly FieldProblem[];
  readonly raw: string | undefined;
}) {
  const common = useMessages(commonMessages);
  return (
    <section className="card panel calendar-problems" role="alert">
      <ul>
        {problems.slice(0, 20).map((problem) => (
          <li key={`${problem.field} ${problem.message}`}>
            <b>
              <code>{problem.field}</code> {problem.message}
            </b>{' '}
            <span className="muted">
              {common.expected(problem.expected)} — {common.got(problem.got)}
            </span>
          </li>
        ))}
      </ul>
      {raw !== undefined && <pre className="calendar-raw scroll-box mono">{raw}</pre>}
    </section>
  );
}
