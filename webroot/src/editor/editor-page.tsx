/** A new job, or one that exists: fetches it, and gives the form something to begin with. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { isApiError } from '../api/api-error.ts';
import { jobQuery } from '../api/queries.ts';
import type { JobDetail } from '../api/shapes.ts';
import { NotFound } from '../shell/not-found.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonBlock } from '../ui/skeleton.tsx';
import { draftOfJob, draftOfRaw, emptyDraft } from './draft.ts';
import { forgetDraft } from './draft-storage.ts';
import { EditorForm } from './editor-form.tsx';
import { type Original } from './use-editor.ts';
import './editor.css';
import './fields.css';

export function EditorPage({ name }: { readonly name?: string }) {
  return name === undefined ? <NewJob /> : <StoredJob name={name} />;
}

const blank: Original = { name: undefined, draft: emptyDraft, job: undefined, revision: undefined };

function NewJob() {
  return <EditorForm original={blank} onRestart={() => undefined} />;
}

function StoredJob({ name }: { readonly name: string }) {
  const { data, error, refetch } = useQuery(jobQuery(name));
  // What the editing began with stays, whatever comes in by and by.
  const [original, setOriginal] = useState<Original | undefined>();
  if (!original && data) setOriginal(originalOf(name, data));
  if (!original) {
    if (isApiError(error, 404)) return <NotFound />;
    if (error) return <ErrorPanel error={error} onRetry={() => void refetch()} />;
    return <SkeletonBlock height={480} />;
  }
  return (
    <EditorForm
      key={original.revision}
      original={original}
      onRestart={() => {
        forgetDraft(name);
        if (data) setOriginal(originalOf(name, data));
      }}
    />
  );
}

function originalOf(name: string, { job, raw, revision }: JobDetail): Original {
  return { name, draft: job ? draftOfJob(job) : draftOfRaw(name, raw ?? ''), job, revision };
}
