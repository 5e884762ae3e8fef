/**
 * Closes what this process was left by those who started it, so that no run gets it either. Node
 * itself opens everything close-on-exec and marks the first few inherited descriptors so; what is
 * not marked came from outside.
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

const closeOnExec = 0o2_000_000;
const lastStandard = 2;

/** Where there is no /proc, nothing is closed. */
export function closeInheritedDescriptors(): void {
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return;
  }
  for (const name of names) {
    const descriptor = Number(name);
    if (descriptor <= lastStandard) continue;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${name}`, 'utf8');
      const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1];
      if (flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) !== 0) continue;
      closeSync(descriptor);
    } catch {
      // The descriptor of the listing itself is gone by now.
    }
  }
}
