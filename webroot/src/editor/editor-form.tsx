/** The form itself: fields on the left, what they mean on the right. */
import { useQuery } from '@tanstack/react-query';
import { type SyntheticEvent, useEffect, useId, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { useJobActions } from '../actions/use-job-actions.ts';
import { isApiError } from '../api/api-error.ts';
import { jobQuery } from '../api/queries.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { guardNavigation } from '../shell/navigation-guard.ts';
import { askToConfirm } from '../ui/confirm-store.ts';
import { useDescribeError } from '../ui/describe-error.ts';
import { showToast } from '../ui/toast-store.ts';
import { usePageTitle } from '../ui/use-page-title.ts';
import { CalendarsField } from './calendars-field.tsx';
import { ChangesTable } from './changes-panel.tsx';
import { ConflictNotice } from './conflict-notice.tsx';
import { type Draft, hasUnusableName } from './draft.ts';
import { fieldAt } from './draft-fields.ts';
import { Field, FieldErrors } from './field.tsx';
import { editorMessages } from './messages.ts';
import { AboutFields, HistoryFields, LimitFields, SurroundingsFields } from './more-fields.tsx';
import { OverlapFields, RecoveryFields } from './policy-fields.tsx';
import { PreviewPanel } from './preview-panel.tsx';
import { ScheduleFields } from './schedule-fields.tsx';
import { type Original, useEditor } from './use-editor.ts';

interface EditorFormProps {
  readonly original: Original;
  /** Begins again from what is stored now. */
  readonly onRestart: () => void;
}

export function EditorForm({ original, onRestart }: EditorFormProps) {
  const text = useMessages(editorMessages);
  const common = useMessages(commonMessages);
  const describe = useDescribeError();
  const [, navigate] = useLocation();
  const actions = useJobActions();
  const editor = useEditor(original);
  const { draft, dirty, change, errors } = editor;
  const form = useRef<HTMLFormElement>(null);
  const formId = useId();
  const isNew = original.name === undefined;
  const title = isNew ? text.newTitle : text.editTitle(original.name ?? '');
  usePageTitle(title);
  const leaving = useRef(false);

  const stored = useQuery({ ...jobQuery(original.name ?? ''), enabled: !isNew });
  const deleted = !isNew && isApiError(stored.error, 404);
  const movedOn = !isNew && stored.data !== undefined && stored.data.revision !== original.revision;
  const conflict = (deleted || movedOn) && !editor.saving;
  const nameless = !isNew && hasUnusableName(original.name ?? '', stored.data?.quarantined);

  useEffect(() => {
    if (!dirty) return undefined;
    const onUnload = (event: BeforeUnloadEvent): void => {
      if (!leaving.current) event.preventDefault();
    };
    addEventListener('beforeunload', onUnload);
    const release = guardNavigation(async () => {
      if (leaving.current) return true;
      const leave = await askToConfirm({
        title: text.leaveTitle,
        text: text.leaveText,
        confirm: text.leave,
        cancel: text.stay,
        tone: 'danger',
      });
      if (leave) editor.discard();
      return leave;
    });
    return () => {
      removeEventListener('beforeunload', onUnload);
      release();
    };
  }, [dirty, text, editor]);

  const errorsOf = (field: keyof Draft) =>
    errors.filter(({ pointer }) => fieldAt(pointer) === field);

  async function save(revision: number | undefined): Promise<void> {
    const result = await editor.save(revision);
    if (result.kind === 'saved') {
      leaving.current = true;
      const { name } = result.job;
      showToast({
        tone: 'good',
        text: isNew ? text.created(name) : text.saved(name),
        detail: text.savedDetail,
      });
      navigate(`/jobs/${encodeURIComponent(name)}`);
    } else if (result.kind === 'refused') {
      requestAnimationFrame(() => {
        form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
      });
    } else if (result.kind === 'failed') {
      showToast({ tone: 'bad', ...describe(result.error) });
    }
  }

  function onSubmit(event: SyntheticEvent): void {
    event.preventDefault();
    if (!editor.saving && !nameless) void save(original.revision);
  }

  async function remove(): Promise<void> {
    const { name, revision } = original;
    if (name === undefined || revision === undefined) return;
    if (!(await actions.remove({ name, revision }))) return;
    leaving.current = true;
    editor.discard();
    navigate('/');
  }

  const fields = { draft, errorsOf, onChange: change };
  const homeless = errors.filter(({ pointer }) => {
    const field = fieldAt(pointer);
    return field === undefined || (field === 'name' && !isNew);
  });
  const advanced = ['env', 'labels', 'workingDirectory', 'shell'] as const;
  const advancedErrors = advanced.some((field) => errorsOf(field).length > 0);
  const advancedUsed = draft.env.length > 0 || draft.labels.length > 0;
  return (
    <form className="editor" ref={form} onSubmit={onSubmit} noValidate aria-labelledby={formId}>
      <div className="editor-main">
        <header className="page-head">
          <h1 id={formId}>{title}</h1>
        </header>
        {editor.restored && dirty && (
          <p className="notice">
            {text.restored}{' '}
            <button type="button" className="text-button" onClick={editor.discard}>
              {text.discard}
            </button>
          </p>
        )}
        {conflict && (
          <ConflictNotice
            base={original.job}
            theirs={stored.data?.job}
            deleted={deleted}
            onTakeTheirs={onRestart}
            onKeepMine={() => void save(deleted ? undefined : stored.data?.revision)}
          />
        )}
        {!isNew && original.job === undefined && stored.data?.raw !== undefined && (
          <section className="notice">
            <p data-testid="quarantine-note">{nameless ? text.unusableName : text.quarantined}</p>
            <pre className="raw scroll-box">{stored.data.raw}</pre>
          </section>
        )}
        <fieldset className="section what">
          <legend>{text.what}</legend>
          {isNew && (
            <Field
              label={text.name}
              hint={text.nameHint}
              errors={errorsOf('name')}
              errorTestId="name-error"
              renderControl={(props) => (
                <input
                  {...props}
                  ref={focusOnMount}
                  className="input"
                  data-testid="name-input"
                  spellCheck={false}
                  autoCapitalize="off"
                  autoComplete="off"
                  value={draft.name}
                  onChange={(event) => change('name', event.target.value)}
                />
              )}
            />
          )}
          {editor.taken && (
            <p className="field-taken" role="alert" data-testid="name-taken">
              {text.nameTaken}{' '}
              <Link className="link" href={`/jobs/${encodeURIComponent(draft.name.trim())}`}>
                {text.openIt}
              </Link>
            </p>
          )}
          <Field
            label={text.command}
            hint={text.commandHint}
            errors={errorsOf('command')}
            errorTestId="command-error"
            renderControl={(props) => (
              <textarea
                {...props}
                className="input mono"
                data-testid="command-input"
                rows={Math.min(16, Math.max(4, draft.command.split('\n').length + 1))}
                spellCheck={false}
                autoCapitalize="off"
                value={draft.command}
                onChange={(event) => change('command', event.target.value)}
              />
            )}
          />
        </fieldset>
        <fieldset className="section when">
          <legend>{text.when}</legend>
          <ScheduleFields {...fields} />
          <CalendarsField {...fields} />
          <label className="check">
            <input
              type="checkbox"
              checked={draft.enabled}
              data-testid="enabled-input"
              onChange={(event) => change('enabled', event.target.checked)}
            />
            <span>{text.enabled}</span>
            <small>{text.enabledHint}</small>
          </label>
        </fieldset>
        <fieldset className="section limits">
          <legend>{text.limits}</legend>
          <OverlapFields {...fields} />
          <LimitFields {...fields} />
        </fieldset>
        <fieldset className="section history">
          <legend>{text.history}</legend>
          <HistoryFields {...fields} />
        </fieldset>
        <fieldset className="section recovery">
          <legend>{text.recovery}</legend>
          <RecoveryFields {...fields} />
        </fieldset>
        <fieldset className="section about">
          <legend>{text.about}</legend>
          <AboutFields {...fields} />
        </fieldset>
        <details
          className="section surroundings"
          open={advancedErrors || advancedUsed || undefined}
        >
          <summary>
            {text.surroundings} <small>{text.surroundingsHint}</small>
          </summary>
          <SurroundingsFields {...fields} />
        </details>
      </div>
      <aside className="editor-side">
        <PreviewPanel
          typed={draft.cronExpr.trim() !== ''}
          zone={editor.previewZone}
          preview={editor.preview}
        />
        {!isNew && dirty && editor.changes && (
          <section className="changes-panel panel">
            <h2>{text.changes}</h2>
            {editor.changes.length === 0 ? (
              <p className="muted">{text.noChanges}</p>
            ) : (
              <ChangesTable
                changes={editor.changes.map(({ field, before, after }) => ({
                  field,
                  before,
                  after,
                }))}
              />
            )}
          </section>
        )}
        <div className="editor-actions">
          <Link
            className="button"
            href={isNew ? '/' : `/jobs/${encodeURIComponent(original.name ?? '')}`}
          >
            {common.cancel}
          </Link>
          {nameless ? (
            <button
              type="button"
              className="button danger"
              data-testid="delete"
              onClick={() => void remove()}
            >
              {common.delete}
            </button>
          ) : (
            <button
              type="submit"
              className="button primary"
              data-testid="save-job"
              disabled={editor.saving || conflict}
            >
              {editor.saving ? text.saving : isNew ? text.create : text.save}
            </button>
          )}
          {errors.length > 0 && (
            <div className="editor-problems">
              <p className="field-error">{text.problems(errors.length)}</p>
              {homeless.length > 0 && <FieldErrors id={`${formId}-rest`} errors={homeless} />}
            </div>
          )}
        </div>
      </aside>
    </form>
  );
}

function focusOnMount(input: HTMLInputElement | null): void {
  if (input?.value === '') input.focus();
}
