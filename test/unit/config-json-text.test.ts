import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJsonText } from '../../shared/config/json-text.ts';

function faultOf(text: string): string {
  const parsed = parseJsonText(text);
  assert.equal(parsed.ok, false, text);
  return `${parsed.fault.line}:${parsed.fault.column} ${parsed.fault.expected}`;
}

test('says where a text stops being JSON', () => {
  assert.equal(faultOf(''), '1:1 a value');
  assert.equal(faultOf('{"a":tru}'), '1:6 a value');
  assert.equal(faultOf('{"a":1,}'), '1:8 a field name in double quotes');
  assert.equal(faultOf('{a:1}'), '1:2 a field name in double quotes');
  assert.equal(faultOf('{"a" 1}'), '1:6 a colon');
  assert.equal(faultOf('{"a":1 "b":2}'), '1:8 a comma or "}"');
  assert.equal(faultOf('[1 2]'), '1:4 a comma or "]"');
  assert.equal(faultOf('[1]\n x'), '2:2 the end');
  assert.equal(faultOf('{\n "a": [1,\n 2'), '3:3 a comma or "]"');
  assert.equal(faultOf('"abc'), '1:5 a closing double quote');
  assert.equal(faultOf(String.raw`"a\q"`), '1:4 a valid escape after the backslash');
  assert.equal(faultOf('"a\nb"'), '1:3 an escape such as \\n, or a quote');
  assert.equal(faultOf('[01]'), '1:2 a value');
  assert.equal(faultOf('[NaN]'), '1:2 a value');
  assert.equal(faultOf('[1,]'), '1:4 a value');
  assert.equal(faultOf("{'a':1}"), '1:2 a field name in double quotes');
});

test('agrees with JSON.parse on random damage', () => {
  const whole = JSON.stringify({
    a: [1, -2.5e3, 'x\n\u2028"', true, null, {}, []],
    'b c': { d: 1 },
  });
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  for (let round = 0; round < 3_000; round++) {
    const at = random(whole.length);
    const insert = '{}[],:"0 \\truenx-'.charAt(random(17));
    const text = whole.slice(0, at) + insert + whole.slice(at + random(3));
    const parsed = parseJsonText(text);
    // A fault without an expectation of its own means that the scanner took what JSON.parse refused.
    if (!parsed.ok) assert.notEqual(parsed.fault.expected, 'JSON', text);
  }
});

test('deep nesting is refused by place, not by a stack overflow', () => {
  assert.equal(faultOf('['.repeat(200_000)), '1:200001 a value');
});
