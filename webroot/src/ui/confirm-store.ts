/** Asks before something that cannot be taken back. One question at a time. */
import { createStore } from '../external-store.ts';

export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the action is called, on its button. */
  readonly confirm: string;
  readonly cancel?: string;
  readonly tone: 'danger' | 'plain';
}

export interface PendingQuestion extends Question {
  readonly answer: (confirmed: boolean) => void;
}

export const questionStore = createStore<PendingQuestion | undefined>(undefined);

export function askToConfirm(question: Question): Promise<boolean> {
  questionStore.get()?.answer(false);
  return new Promise((resolve) => {
    questionStore.set({
      ...question,
      answer(confirmed) {
        questionStore.set(undefined);
        resolve(confirmed);
      },
    });
  });
}
