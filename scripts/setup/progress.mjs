/**
 * What the set-up says: one line a step with the time it took, and, when a step cannot be done,
 * one block that lists everything that was tried and why each failed. A SetupError is such a
 * block; any other error is a bug of ours.
 */
import process from 'node:process';

export class SetupError extends Error {
  /**
   * @param {string} title what could not be done
   * @param {{what: string, why: string}[]} tried in the order of trying
   * @param {string} advice what a person can do about it
   */
  constructor(title, tried, advice) {
    super(title);
    this.tried = tried;
    this.advice = advice;
  }

  render() {
    const lines = [`setup failed: ${this.message}`];
    if (this.tried.length > 0) lines.push('What was tried:');
    for (const { what, why } of this.tried) {
      lines.push(`  - ${what}: ${why.trim().replaceAll('\n', '\n      ')}`);
    }
    lines.push(...this.advice.split('\n'));
    return lines.join('\n');
  }
}

/** What was tried for one thing, in order; handed to a SetupError when nothing worked. */
export class Attempts {
  list = [];

  failed(what, why) {
    this.list.push({ what, why });
  }
}

/**
 * Runs one step. `run(announce)` does the work and returns the text of its line; a step that will
 * take long calls `announce` first, so that nobody looks at an empty terminal.
 */
export async function step(name, run) {
  const started = performance.now();
  const terminal = process.stdout.isTTY === true;
  const prefix = `setup  ${name.padEnd(16)} `;
  let announced = false;
  const announce = (text) => {
    if (terminal) {
      process.stdout.write(`\r\u001B[2K${prefix}${text} ...`);
      announced = true;
    } else {
      process.stdout.write(`${prefix}${text} ...\n`);
    }
  };
  let text;
  try {
    text = await run(announce);
  } finally {
    if (announced) process.stdout.write('\r\u001B[2K');
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${prefix}${text}  [${seconds} s]\n`);
}
