/**
 * Takes one file out of a zip archive (a Python wheel is one), by its central directory. No zip64:
 * what is read here is far below 4 GiB. The archive's own checksum was verified before.
 */
import { open } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const endBytes = 22;
const longestComment = 65_535;

/** The content of the only entry whose name ends with `suffix`; throws an Error in words. */
export async function readZipEntry(file, suffix) {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const tail = await read(handle, Math.max(0, size - endBytes - longestComment), size);
    const end = tail.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
    if (end < 0 || tail.readUInt32LE(end) !== endSignature) throw new Error('not a zip archive');
    const directorySize = tail.readUInt32LE(end + 12);
    const directoryStart = tail.readUInt32LE(end + 16);
    const directory = await read(handle, directoryStart, directoryStart + directorySize);
    for (let at = 0; at < directory.length && directory.readUInt32LE(at) === entrySignature;) {
      const method = directory.readUInt16LE(at + 10);
      const packedSize = directory.readUInt32LE(at + 20);
      const nameLength = directory.readUInt16LE(at + 28);
      const skipped = directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
      const headerStart = directory.readUInt32LE(at + 42);
      const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
      if (name.endsWith(suffix)) {
        const header = await read(handle, headerStart, headerStart + 30);
        const start = headerStart + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
        const packed = await read(handle, start, start + packedSize);
        if (method === 0) return packed;
        if (method === 8) return inflateRawSync(packed);
        throw new Error(`${name} is compressed by a method not known here (${method})`);
      }
      at += 46 + nameLength + skipped;
    }
    throw new Error(`there is no ${suffix} in the archive`);
  } finally {
    await handle.close();
  }
}

async function read(handle, start, end) {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
  if (bytesRead !== buffer.length) throw new Error('the archive ends too early');
  return buffer;
}
