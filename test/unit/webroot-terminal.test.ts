import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputSearch } from '../../webroot/src/run/output-search.ts';
import { TerminalText, textOfLine, type StreamName } from '../../webroot/src/run/terminal-text.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Part = string | readonly [StreamName, string];

function terminal(...parts: readonly Part[]): TerminalText {
  const text = new TerminalText();
  for (const part of parts) {
    const [stream, content] = typeof part === 'string' ? (['stdout', part] as const) : part;
    text.write(stream, bytes(content), 0);
  }
  text.end();
  return text;
}

function linesOf(...parts: readonly Part[]): string[] {
  return terminal(...parts).lines.map(textOfLine);
}

test('splits lines wherever chunks were cut', () => {
  assert.deepEqual(linesOf('one\ntw', 'o\n\nfour'), ['one', 'two', '', 'four']);
  assert.deepEqual(linesOf('one\r\ntwo\r', '\nthree'), ['one', 'two', 'three']);
  assert.deepEqual(linesOf(''), []);
});

test('decodes UTF-8 across chunks, each stream by itself', () => {
  const text = new TerminalText();
  const [first, ...rest] = bytes('é!');
  text.write('stdout', Uint8Array.of(first ?? 0), 0);
  text.write('stderr', bytes('e'), 0);
  text.write('stdout', Uint8Array.from(rest), 0);
  text.write('stdout', Uint8Array.of(0xff, 0x41), 0);
  text.end();
  assert.deepEqual(text.lines.map(textOfLine), ['eé!\ufffdA']);
});

test('a progress bar stays one line', () => {
  const steps = Array.from({ length: 101 }, (_, step) => `\r\u001b[K${step}% done`);
  assert.deepEqual(linesOf(...steps, '\nend\n'), ['100% done', 'end', '']);
  assert.deepEqual(linesOf('abcdef\rXY'), ['XYcdef']);
  assert.deepEqual(linesOf('10%\b\b\b20%'), ['20%']);
  assert.deepEqual(linesOf('abc\u001b[2D!'), ['a!c']);
  assert.deepEqual(linesOf('a\u001b[3Cb'), ['a   b']);
  assert.deepEqual(linesOf('abcdef\u001b[3G\u001b[K'), ['ab']);
});

test('colours come as styles of spans, and end with their stream', () => {
  const { lines } = terminal(
    '\u001b[1;31mred\u001b[0m plain ',
    ['stderr', 'err'],
    '\u001b[3',
    '2mgreen',
  );
  assert.deepEqual(
    lines[0]?.segments.map(({ text, style, stderr }) => [text, style?.className, stderr]),
    [
      ['red', 'bold fg-1', false],
      [' plain ', undefined, false],
      ['err', undefined, true],
      ['green', 'fg-2', false],
    ],
  );
});

test('knows 256 and direct colours, and leaves out what is malformed', () => {
  const styleOf = (sequence: string) => {
    const style = terminal(`\u001b[${sequence}mx`).lines[0]?.segments[0]?.style;
    return style && [style.className, style.color, style.background];
  };
  assert.deepEqual(styleOf('38;5;9'), ['fg-9', undefined, undefined]);
  assert.deepEqual(styleOf('38;5;196'), ['own-color', 'rgb(255 0 0)', undefined]);
  assert.deepEqual(styleOf('48;5;232'), ['own-background', undefined, 'rgb(8 8 8)']);
  assert.deepEqual(styleOf('38;2;1;2;3'), ['own-color', 'rgb(1 2 3)', undefined]);
  assert.deepEqual(styleOf('38:5:196'), ['own-color', 'rgb(255 0 0)', undefined]);
  assert.equal(styleOf('38;2;999;0;0'), undefined);
  assert.equal(styleOf('38;5'), undefined);
  assert.equal(styleOf('31;39'), undefined);
  assert.deepEqual(styleOf('4;9'), ['underline strike', undefined, undefined]);
});

test('other sequences do nothing, other controls are pictures', () => {
  assert.deepEqual(linesOf('a\u001b]0;title\u0007b\u001b[2Jc\u001b(Bd'), ['abcd']);
  assert.deepEqual(linesOf('a\u001b]8;;javascript:alert(1)\u001b\\link\u001b]8;;\u001b\\b'), [
    'alinkb',
  ]);
  assert.deepEqual(linesOf('a\u001b]0;ti', 'tle\u0007b'), ['ab']);
  assert.deepEqual(linesOf('a\u0000b\u007fc\u0085d'), ['a␀b␡c\ufffdd']);
  assert.deepEqual(linesOf('<img src=x onerror=alert(1)>'), ['<img src=x onerror=alert(1)>']);
});

test('an escape sequence that never ends is shown, not swallowed', () => {
  assert.deepEqual(linesOf('a\u001b[31'), ['a␛[31']);
  const [line = ''] = linesOf(`\u001b]0;${'x'.repeat(5000)}`);
  assert.ok(line.startsWith('␛]0;xxx'));
});

test('a very long line is cut into rows, and text is not', () => {
  const { lines } = terminal(`${'x'.repeat(4500)}\ny`);
  assert.deepEqual(
    lines.map(({ index, continued }) => [
      index,
      continued,
      textOfLine(lines[index] ?? fail()).length,
    ]),
    [
      [0, false, 2000],
      [1, true, 2000],
      [2, true, 500],
      [3, false, 1],
    ],
  );
  const whole = terminal(`${'x'.repeat(1999)}😀😀`)
    .lines.map(textOfLine)
    .join('');
  assert.equal(whole, `${'x'.repeat(1999)}😀😀`);
});

function fail(): never {
  throw new Error('no such line');
}

test('keeps the newest rows when there are too many', () => {
  const text = terminal('\n'.repeat(310_000), 'last');
  assert.equal(textOfLine(text.lines.at(-1) ?? fail()), 'last');
  assert.equal(text.lines.at(-1)?.index, 310_000);
  assert.equal(text.lines[0]?.index, text.dropped);
  assert.ok(text.lines.length <= 300_000);
});

test('finds plain text, whatever its case, and never looks at a line twice', () => {
  const text = new TerminalText();
  text.write('stdout', bytes('a.b A.B axb\nnone\na.'), 0);
  const search = new OutputSearch('a.b');
  assert.equal(search.advance(text.lines, false, 1000), true);
  assert.deepEqual(search.ofLine(0), [
    { line: 0, start: 0, end: 3 },
    { line: 0, start: 4, end: 7 },
  ]);
  text.write('stdout', bytes('b\n'), 0);
  search.advance(text.lines, true, 1000);
  assert.deepEqual(
    search.matches.map(({ line, start }) => [line, start]),
    [
      [0, 0],
      [0, 4],
      [2, 0],
    ],
  );
});
