/**
 * The console with what nobody wrote it for: markup, escape sequences and broken bytes where text is
 * expected, a phone's width, a dark screen. Nothing of it runs, moves or vanishes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiClient } from '../support/api-client.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { ConsolePage } from '../support/console-page.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { waitFor } from '../support/server-process.ts';

const phoneWidth = 390;
const script = '<script>globalThis.ran = 1</script>';
const image = '<img src=x onerror="globalThis.ran = 1">';
/** Colour, a title, a link that is none, a cursor that moves, a screen that is cleared, broken UTF-8. */
const hostileOutput = [
  `echo '${script}'`,
  `echo '${image}' >&2`,
  String.raw`printf '\033[31mred\033[0m \033[1mbold\033[0m\n'`,
  String.raw`printf '\033]0;title taken\007after title\n'`,
  String.raw`printf '\033]8;;javascript:globalThis.ran=1\033\\link\033]8;;\033\\\n'`,
  String.raw`printf '\033[2J\033[Hcleared\n'`,
  String.raw`printf 'old text\rnew\n'`,
  String.raw`printf 'broken \377\376 bytes\n'`,
  String.raw`printf '{{7*7}} ${'$'}{7*7} %%s\n'`,
  String.raw`printf '%0600d\n' 7`,
].join('\n');
const never = '0 0 0 1 1 *';
const longName =
  'a-long-name-without-a-single-blank-in-it-that-has-to-go-somewhere-on-a-narrow-screen';

describe('the console, whatever comes', { concurrency: false }, () => {
  let mesh: TestMesh;
  let browser: TestBrowser;
  let url: string;
  let runId: string;

  before(async () => {
    mesh = await startMesh();
    browser = await launchBrowser();
    await mesh.startWorkers(['w1', 'w2', 'w3']);
    ({ url } = await mesh.startMaster());
    await mesh.putJob({
      name: 'hostile',
      command: hostileOutput,
      cronExpr: never,
      description: `${script}${image}`,
      labels: { note: '{{constructor}}' },
    });
    await mesh.putJob(`{"name":"broken","command":"x","cronExpr":"${script}"}`, 'broken');
    await mesh.putJob('{ not json <b>', 'not-json');
    await mesh.putJob({ name: 'x', command: 'x', cronExpr: never }, image);
    await mesh.putJob({
      name: longName,
      command: `echo ${'x'.repeat(300)}`,
      cronExpr: '*/2 * * * * *',
      timezone: 'America/Argentina/Buenos_Aires',
      group: 'a-group-with-a-rather-long-name-too',
    });
    await mesh.putJob({
      name: 'flaky',
      command: 'exit $((CRON_FENCE % 2))',
      cronExpr: '* * * * * *',
    });
    const api = new ApiClient(url);
    await api.expect(
      'PUT',
      `/api/v1/calendars/${longName}`,
      { mode: 'exclude', dates: ['sat', '12-24..01-02'], description: `${script}${longName}` },
      { 'If-None-Match': '*' },
    );
    await api.createJob({
      name: 'dated',
      command: 'true',
      cronExpr: '0 12 * * *',
      calendars: [longName],
    });
    await api.expect('POST', '/api/v1/jobs/hostile/run', {});
    const done = await waitFor(async () => (await api.rows('job=hostile&outcome=succeeded'))[0], {
      timeoutMs: 15_000,
      describe: () => 'the hostile run to be recorded',
    });
    runId = done.id;
  });

  after(async () => {
    await browser?.close();
    await mesh?.stop();
  });

  it('shows markup and escape sequences as the text that they are', async () => {
    const view = await ConsolePage.open(browser, url);
    await view.visit('/');
    await view.seesText(view.by('job-row-hostile'), /<script>globalThis\.ran = 1<\/script><img/);
    await view.seesText(view.by('job-row-broken'), /<script>/);
    await view.seesText(view.by('job-row-not-json'), /quarantined/i);
    await view.seesText(view.by(`job-row-${image}`), /quarantined/i);
    await assertHarmless(view);
    await view.screenshot('hostile-jobs');

    await view.visit(`/runs/${encodeURIComponent(runId)}`);
    const output = view.by('run-output');
    await view.seesText(output, /\{\{7\*7\}\} \$\{7\*7\} %s/);
    const text = (await view.textOf(output)) ?? '';
    for (const wanted of [script, image, 'red bold', 'after title', 'link', 'cleared', 'new']) {
      assert.ok(text.includes(wanted), `${wanted} in\n${text}`);
    }
    assert.match(text, /broken \uFFFD+ bytes/);
    // oxlint-disable-next-line no-control-regex -- they are what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f]/);
    assert.doesNotMatch(text, /title taken/);
    assert.equal(await output.locator('img, script, a').count(), 0);
    assert.doesNotMatch(await view.page.title(), /title taken/);
    await assertHarmless(view);
    await view.screenshot('hostile-run');

    for (const name of ['hostile', 'broken', 'not-json', image]) {
      await view.visit(`/jobs/${encodeURIComponent(name)}`);
      await view.page.getByRole('heading', { level: 1 }).waitFor();
      await assertHarmless(view);
      await view.visit(`/jobs/${encodeURIComponent(name)}/edit`);
      await view.page.getByRole('heading', { level: 1 }).waitFor();
      await assertHarmless(view);
    }
    await view.screenshot('hostile-edit');

    // A job whose name is wrong cannot be mended there; one whose schedule is wrong can.
    await view.visit(`/jobs/${encodeURIComponent(image)}/edit`);
    await view.by('quarantine-note').waitFor();
    assert.equal(await view.by('save-job').count(), 0);
    assert.equal(await view.by('delete').count(), 1);
    await view.visit('/jobs/broken/edit');
    await view.by('quarantine-note').waitFor();
    assert.equal(await view.by('save-job').count(), 1);

    // What nobody can mend, its name being wrong, can be got rid of.
    await view.visit('/');
    await view.by(`job-row-${image}`).getByTestId('delete').click();
    await view.by('confirm').click();
    await view.by(`job-row-${image}`).waitFor({ state: 'detached' });
    view.assertQuiet();
    await view.close();
  });

  it('cuts off no column, and leaves a name its room beside its group', async () => {
    for (const width of [1440, 1280, 1241, 1240, 900, phoneWidth]) {
      const phone = width === phoneWidth;
      const view = await ConsolePage.open(browser, url, { phone, width });
      for (const [path, table] of [
        ['/', '.jobs-table'],
        ['/runs', '.run-table'],
        ['/jobs/flaky', '.run-table'],
      ] as const) {
        await view.visit(path);
        await view.page.locator(`${table} [data-row-link]`).first().waitFor();
        await settled(view);
        assert.deepEqual(await cutCells(view, table), [], `${path} at ${width} px`);
      }
      await view.visit('/');
      const row = view.by(`job-row-${longName}`);
      await row.waitFor();
      const named = (await row.locator('.row-link').boundingBox())?.width ?? 0;
      const chip = (await row.locator('.chip').first().boundingBox())?.width ?? 0;
      assert.ok(named >= 100, `${named} px for a name at ${width} px`);
      assert.ok(chip > 20 && chip < named, `${chip} px for its group, ${named} px for the name`);
      assert.equal(await view.by('job-row-broken').locator('.chip').count(), 0);
      for (const text of await view.page.locator('.job-title .chip').allTextContents()) {
        assert.notEqual(text.trim(), '', `an empty chip at ${width} px`);
      }
      view.assertQuiet();
      await view.close();
    }
  });

  it('fits a phone', async () => {
    const view = await ConsolePage.open(browser, url, { phone: true, width: phoneWidth });
    for (const [name, path, landmark] of rooms(runId)) {
      await view.visit(path);
      await view.page.locator(landmark).first().waitFor();
      await settled(view);
      assert.ok((await view.sidewaysPx()) <= 0, `${path} scrolls ${await view.sidewaysPx()} px`);
      assert.deepEqual(await beyondTheEdge(view), [], `${path} has all of it on the screen`);
      await view.screenshot(`phone-${name}`);
    }
    view.assertQuiet();
    await view.close();
  });

  it('is dark on a dark screen, and to be read on either', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const view = await ConsolePage.open(browser, url, { colorScheme });
      for (const [name, path, landmark] of rooms(runId)) {
        await view.visit(path);
        await view.page.locator(landmark).first().waitFor();
        await settled(view);
        await view.screenshot(`${colorScheme}-${name}`);
        const { text, ground } = await colours(view);
        const lightness = luminance(ground);
        assert.ok(
          colorScheme === 'dark' ? lightness < 0.1 : lightness > 0.8,
          `${path}: ${ground.join()}`,
        );
        assert.ok(contrast(text, ground) >= 7, `${path}: ${text.join()} on ${ground.join()}`);
      }
      view.assertQuiet();
      await view.close();
    }
  });
});

/** Name, address, and what is there once the room is. */
function rooms(runId: string): readonly (readonly [string, string, string])[] {
  return [
    ['jobs', '/', '.job-row'],
    ['job', '/jobs/flaky', '.run-row'],
    ['editor', '/jobs/flaky/edit', '[data-testid=preview-fires]'],
    ['runs', '/runs', '.run-row'],
    ['run', `/runs/${encodeURIComponent(runId)}`, '[data-testid=run-output] .row'],
    ['workers', '/workers', '[data-testid=worker-card-w1]'],
    ['calendars', '/calendars', '.calendar-card'],
    ['calendar', `/calendars/${longName}`, '[data-testid=year-view]'],
    ['calendar-editor', `/calendars/${longName}/edit`, '[data-testid=year-view]'],
    ['dated-job', '/jobs/dated', '[data-testid=job-calendars]'],
    ['dated-editor', '/jobs/dated/edit', '[data-testid=passed-over]'],
  ];
}

async function assertHarmless(view: ConsolePage): Promise<void> {
  assert.equal(await view.page.evaluate('globalThis.ran'), undefined, `at ${view.path}`);
}

/** Fonts are there, and no skeleton is left. */
async function settled(view: ConsolePage): Promise<void> {
  await view.page.evaluate('document.fonts.ready.then(() => undefined)');
  await view.until('no skeleton', async () => (await view.page.locator('.skeleton').count()) === 0);
}

/** Buttons, links and fields that reach over the right edge and cannot be scrolled to. */
async function beyondTheEdge(view: ConsolePage): Promise<string[]> {
  return view.page.evaluate<string[]>(`(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => {
      for (let at = element.parentElement; at; at = at.parentElement) {
        if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true;
      }
      return false;
    };
    return [...document.querySelectorAll('button, a, input, textarea, select, h1, h2')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 1 && (box.right > width + 1 || box.left < -1))
      .filter(({ element }) => !scrolls(element))
      .map(({ element, box }) => element.outerHTML.slice(0, 120) + ' at ' + Math.round(box.right));
  })()`);
}

/** Cells of a table that reach over its right edge, where it is clipped. */
async function cutCells(view: ConsolePage, table: string): Promise<string[]> {
  return view.page.evaluate<string[]>(`(() => {
    const table = document.querySelector('${table}');
    const right = table.getBoundingClientRect().right;
    return [...table.querySelectorAll('[role=cell], [role=columnheader]')]
      // A phone has a head for screen readers alone.
      .filter((cell) => cell.checkVisibility())
      .filter((cell) => getComputedStyle(cell.parentElement).clipPath === 'none')
      .filter((cell) => cell.getBoundingClientRect().right > right + 0.5)
      .map((cell) => cell.className + ' ' + cell.textContent.slice(0, 40));
  })()`);
}

type Colour = readonly [number, number, number];

async function colours(view: ConsolePage): Promise<{ text: Colour; ground: Colour }> {
  const drawn = await view.page.evaluate<Record<'text' | 'ground', number[]>>(`(() => {
    const style = getComputedStyle(document.body);
    const root = getComputedStyle(document.documentElement);
    const clear = 'rgba(0, 0, 0, 0)';
    const ground = style.backgroundColor === clear ? root.backgroundColor : style.backgroundColor;
    const draw = (colour) => {
      const canvas = new OffscreenCanvas(1, 1).getContext('2d');
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    return { text: draw(style.color), ground: draw(ground) };
  })()`);
  const colour = ([red = 0, green = 0, blue = 0]: number[]): Colour => [red, green, blue];
  return { text: colour(drawn.text), ground: colour(drawn.ground) };
}

/** WCAG 2.2, relative luminance. */
function luminance(colour: Colour): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) => {
    const part = value / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: Colour, other: Colour): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
