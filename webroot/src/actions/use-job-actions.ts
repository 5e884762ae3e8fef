/**
 * What can be done to a job from any room: asks first where it must, reports the result, and has
 * the rooms fetch again. Every action answers whether it was done, and never throws.
 */
import { useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useLocation } from 'wouter';
import { isApiError } from '../api/api-error.ts';
import {
  deleteJob,
  orderKill,
  pauseJob,
  resumeJob,
  runJobNow,
  type KillTarget,
} from '../api/commands.ts';
import type { KillOrder } from '../api/shapes.ts';
import { commonMessages } from '../i18n/common-messages.ts';
import { useMessages } from '../i18n/language.ts';
import { askToConfirm } from '../ui/confirm-store.ts';
import { useDescribeError } from '../ui/describe-error.ts';
import { releaseHeld } from '../ui/held-store.ts';
import { dismissToast, showToast } from '../ui/toast-store.ts';
import { findRunOf } from './find-run.ts';
import { tallyOf } from './kill-end.ts';
import { actionMessages } from './messages.ts';
import { watchKill } from './watch-kill.ts';

export interface JobRef {
  readonly name: string;
  readonly revision: number;
}

export interface JobActions {
  run(name: string): Promise<boolean>;
  pause(job: JobRef): Promise<boolean>;
  resume(job: JobRef): Promise<boolean>;
  /** Asks first. */
  remove(job: JobRef): Promise<boolean>;
  /** Asks first; kills every open run of the job. */
  killAll(name: string): Promise<boolean>;
  /** Asks first. */
  killOne(runId: string, job: string): Promise<boolean>;
}

type Verb = 'run' | 'pause' | 'resume' | 'delete' | 'kill';

export function useJobActions(): JobActions {
  const queryClient = useQueryClient();
  const text = useMessages(actionMessages);
  const common = useMessages(commonMessages);
  const describe = useDescribeError();
  const [, navigate] = useLocation();

  return useMemo(() => {
    async function attempt(verb: Verb, name: string, act: () => Promise<void>): Promise<boolean> {
      try {
        await act();
        return true;
      } catch (error) {
        if (isApiError(error, 412)) {
          showToast({
            tone: 'bad',
            text: text.changedMeanwhile(name),
            detail: text.changedDetail,
          });
        } else {
          const { text: why, detail } = describe(error);
          showToast({
            tone: 'bad',
            text: `${text.failedTo[verb]} ${name}: ${why}`,
            ...(detail === undefined ? {} : { detail }),
          });
        }
        return false;
      } finally {
        void queryClient.invalidateQueries();
      }
    }

    function resume(job: JobRef): Promise<boolean> {
      return attempt('resume', job.name, async () => {
        await resumeJob(job.name, job.revision);
        showToast({ tone: 'good', text: text.resumed(job.name) });
      });
    }

    return {
      run: (name) =>
        attempt('run', name, async () => {
          const { triggerId } = await runJobNow(name);
          showToast({
            tone: 'good',
            text: text.willRun(name),
            action: { label: text.watchIt, run: () => void watch(name, triggerId) },
          });
        }),
      pause: (job) =>
        attempt('pause', job.name, async () => {
          const { revision } = await pauseJob(job.name, job.revision);
          showToast({
            tone: 'good',
            text: text.paused(job.name),
            detail: text.pausedDetail,
            action: {
              label: common.undo,
              run: () => void resume({ name: job.name, revision }),
            },
          });
        }),
      resume,
      async remove(job) {
        const confirmed = await askToConfirm({
          title: text.deleteTitle(job.name),
          text: text.deleteText,
          confirm: text.deleteConfirm,
          tone: 'danger',
        });
        if (!confirmed) return false;
        return attempt('delete', job.name, async () => {
          await deleteJob(job.name, job.revision);
          releaseHeld();
          showToast({ tone: 'good', text: text.deleted(job.name) });
        });
      },
      killAll: (name) => confirmKill(name, { job: name }, text.killAskedDetail),
      // The page of the run says itself that it was asked.
      killOne: (runId, job) => confirmKill(job, { runId }, undefined),
    };

    async function watch(name: string, triggerId: string): Promise<void> {
      const runId = await findRunOf(name, triggerId).catch(() => undefined);
      if (runId !== undefined) navigate(`/runs/${encodeURIComponent(runId)}`);
      else showToast({ tone: 'plain', text: text.notYet(name), detail: text.notYetDetail });
    }

    async function confirmKill(
      name: string,
      target: KillTarget,
      askedDetail: string | undefined,
    ): Promise<boolean> {
      const confirmed = await askToConfirm({
        title: text.killTitle(name),
        text: text.killText,
        confirm: text.killConfirm,
        cancel: text.keepRunning,
        tone: 'danger',
      });
      if (!confirmed) return false;
      return attempt('kill', name, async () => {
        let order: KillOrder;
        try {
          order = await orderKill(target);
        } catch (error) {
          // It was over before the order was given.
          if (!isApiError(error, 409)) throw error;
          showToast({ tone: 'plain', text: text.killLate(name) });
          return;
        }
        const asked =
          askedDetail === undefined
            ? undefined
            : showToast({ tone: 'plain', text: text.killAsked(name), detail: askedDetail });
        void tellKill(name, target, order, asked);
      });
    }

    /** However long it takes, and wherever the person has gone meanwhile. */
    async function tellKill(
      name: string,
      target: KillTarget,
      order: KillOrder,
      asked: number | undefined,
    ): Promise<void> {
      const ends = await watchKill(queryClient, target, order);
      if (asked !== undefined) dismissToast(asked);
      if (ends === undefined) return;
      const { killed, others, otherOutcome, silent, reason } = tallyOf(ends);
      void queryClient.invalidateQueries();
      if (silent.length > 0) {
        const detail = text.killUnansweredDetail(silent.join(', '));
        showToast({ tone: 'bad', text: text.killUnanswered(name), detail });
      } else if (killed > 0) {
        const rest = others === 0 ? {} : { detail: text.killSome(others) };
        showToast({ tone: 'good', text: text.killDone(name, killed), ...rest });
      } else if (otherOutcome === 'lost') {
        showToast({ tone: 'bad', text: text.killLost(name), detail: text.killLostDetail });
      } else {
        const how = otherOutcome && text.killLateHow(common.outcome[otherOutcome]);
        const detail = how ?? reason;
        showToast({
          tone: 'plain',
          text: others > 0 ? text.killLate(name) : text.killNothing(name),
          ...(detail === undefined ? {} : { detail }),
        });
      }
    }
  }, [queryClient, text, common, describe, navigate]);
}
