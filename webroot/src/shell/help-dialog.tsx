/** Every key of the console, and what the glyphs of the outcomes mean. */
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { shownOutcomes } from '../outcomes.ts';
import { Dialog } from '../ui/dialog.tsx';
import { OutcomeGlyph } from '../ui/outcome-glyph.tsx';
import { shellMessages } from './messages.ts';

export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  const text = useMessages(shellMessages);
  const common = useMessages(commonMessages);
  return (
    <Dialog title={text.help} onClose={onClose} wide testId="help-dialog">
      <div className="help-columns">
        <div>
          <h3>{text.helpTitle}</h3>
          <KeyList keys={text.keys} />
        </div>
        <div>
          <h3>{text.runKeysTitle}</h3>
          <KeyList keys={text.runKeys} />
          <h3>{text.legendTitle}</h3>
          <dl>
            {shownOutcomes.map((outcome) => (
              <div className="legend-line" key={outcome}>
                <dt>
                  <OutcomeGlyph kind={outcome} />
                  {common.outcome[outcome]}
                </dt>
                <dd>{text.legend[outcome]}</dd>
              </div>
            ))}
          </dl>
        </div>
      </div>
    </Dialog>
  );
}

function KeyList({ keys }: { readonly keys: readonly (readonly [string, string])[] }) {
  return (
    <dl>
      {keys.map(([key, what]) => (
        <div className="legend-line" key={key}>
          <dt>
            {key.split(' ').map((part) => (
              <kbd key={part}>{part}</kbd>
            ))}
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
