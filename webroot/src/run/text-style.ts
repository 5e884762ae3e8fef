/**
 * Colours and weights of terminal output (SGR: ECMA-48 8.3.117, and the usual 16, 256 and direct
 * colours). A style is shared by all text that has it. What is not understood is left out; nothing
 * here can carry markup.
 */
export interface TextStyle {
  readonly className: string;
  /** Set for colours beyond the sixteen, as CSS colours. */
  readonly color?: string;
  readonly background?: string;
}

type Colour = number | string | undefined;

interface Attributes {
  readonly foreground: Colour;
  readonly background: Colour;
  readonly flags: ReadonlySet<Flag>;
}

type Flag = 'bold' | 'dim' | 'italic' | 'underline' | 'inverse' | 'hidden' | 'strike';

const plain: Attributes = { foreground: undefined, background: undefined, flags: new Set() };

const flagOn: Readonly<Record<number, Flag>> = {
  1: 'bold',
  2: 'dim',
  3: 'italic',
  4: 'underline',
  7: 'inverse',
  8: 'hidden',
  9: 'strike',
};
const flagsOff: Readonly<Record<number, readonly Flag[]>> = {
  22: ['bold', 'dim'],
  23: ['italic'],
  24: ['underline'],
  27: ['inverse'],
  28: ['hidden'],
  29: ['strike'],
};

const interned = new Map<string, TextStyle>();

/** The style state of one stream. */
export class StyleState {
  #attributes = plain;

  /** Undefined for text without any. */
  style: TextStyle | undefined;

  /** `parameters` is what stands between `ESC [` and `m`. */
  apply(parameters: string): void {
    const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)));
    let next = this.#attributes;
    for (let at = 0; at < codes.length; at += 1) {
      const code = codes[at] ?? 0;
      if (code === 38 || code === 48) {
        const { colour, used } = extendedColour(codes.slice(at + 1));
        at += used;
        if (colour === undefined) continue;
        next = code === 38 ? { ...next, foreground: colour } : { ...next, background: colour };
      } else {
        next = applyCode(next, code);
      }
    }
    this.#attributes = next;
    this.style = intern(next);
  }
}

function applyCode(attributes: Attributes, code: number): Attributes {
  if (code === 0) return plain;
  const flag = flagOn[code];
  if (flag !== undefined) {
    return { ...attributes, flags: new Set([...attributes.flags, flag]) };
  }
  const off = flagsOff[code];
  if (off !== undefined) {
    const flags = [...attributes.flags].filter((kept) => !off.includes(kept));
    return { ...attributes, flags: new Set(flags) };
  }
  if (code >= 30 && code <= 37) return { ...attributes, foreground: code - 30 };
  if (code >= 90 && code <= 97) return { ...attributes, foreground: code - 82 };
  if (code === 39) return { ...attributes, foreground: undefined };
  if (code >= 40 && code <= 47) return { ...attributes, background: code - 40 };
  if (code >= 100 && code <= 107) return { ...attributes, background: code - 92 };
  if (code === 49) return { ...attributes, background: undefined };
  return attributes;
}

function extendedColour(rest: readonly number[]): { colour: Colour; used: number } {
  const [kind, a, b, c] = rest;
  if (kind === 5) return { colour: isByte(a) ? paletteColour(a) : undefined, used: 2 };
  if (kind === 2) {
    const known = isByte(a) && isByte(b) && isByte(c);
    return { colour: known ? `rgb(${a} ${b} ${c})` : undefined, used: 4 };
  }
  return { colour: undefined, used: 0 };
}

function isByte(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= 255;
}

/** xterm's 256: sixteen by theme, a cube of 6x6x6, and 24 greys. */
function paletteColour(index: number): Colour {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

function intern({ foreground, background, flags }: Attributes): TextStyle | undefined {
  const classes: string[] = [...flags];
  if (typeof foreground === 'number') classes.push(`fg-${foreground}`);
  if (typeof background === 'number') classes.push(`bg-${background}`);
  if (typeof foreground === 'string') classes.push('own-color');
  if (typeof background === 'string') classes.push('own-background');
  const className = classes.join(' ');
  const key = `${className}|${foreground ?? ''}|${background ?? ''}`;
  if (key === '||') return undefined;
  const known = interned.get(key);
  if (known) return known;
  const style: TextStyle = {
    className,
    ...(typeof foreground === 'string' ? { color: foreground } : {}),
    ...(typeof background === 'string' ? { background } : {}),
  };
  // Direct colours are millions; what is interned is only a saving.
  if (interned.size < 4096) interned.set(key, style);
  return style;
}
