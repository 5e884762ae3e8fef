/**
 * The JSON body of a request: bounded, UTF-8, and declared as JSON, so that a form on a foreign page
 * can never send one. What is wrong with it is said by line and column.
 */
import type { IncomingMessage } from 'node:http';
import { describeFault, parseJsonText } from '../../shared/config/json-text.ts';
import { CronmeshError, renderGot, type ErrorCode } from '../../shared/errors.ts';

const maxBodyBytes = 256 * 1024;

/** Undefined only when there is no body and `isOptional`. */
export async function readJsonBody(
  request: IncomingMessage,
  isOptional: boolean,
): Promise<unknown> {
  const { headers } = request;
  const declared = headers['content-length'];
  const isEmpty = headers['transfer-encoding'] === undefined && Number(declared ?? 0) === 0;
  if (isEmpty && isOptional) return undefined;
  if (isEmpty) throw refused('body-malformed', 'The body is missing', 'a JSON body', 'nothing');
  checkType(headers['content-type'], headers['content-encoding']);
  if (Number(declared) > maxBodyBytes) throw tooLarge(request, `${declared ?? ''} bytes`);
  const bytes = await readBytes(request);
  if (bytes.length === 0 && isOptional) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw refused('body-malformed', 'The body is not UTF-8', 'JSON in UTF-8', 'other bytes', error);
  }
  const parsed = parseJsonText(text);
  if (parsed.ok) return parsed.value;
  const where = describeFault(parsed.fault);
  throw refused('body-malformed', `The body is not JSON: ${where}`, 'JSON', where);
}

function checkType(type: string | undefined, encoding: string | undefined): void {
  const isJson = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type ?? '');
  if (!isJson) {
    throw refused(
      'media-type-unsupported',
      'The Content-Type is not JSON',
      'application/json',
      renderGot(type),
    );
  }
  if (encoding !== undefined && encoding !== 'identity') {
    throw refused(
      'media-type-unsupported',
      'The body is compressed',
      'a body without Content-Encoding',
      renderGot(encoding),
    );
  }
}

function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBodyBytes) {
        chunks.push(chunk);
        return;
      }
      request.off('data', onData);
      reject(tooLarge(request, `more than ${maxBodyBytes} bytes`));
    };
    request.on('data', onData);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    const onCut = (error?: unknown): void => {
      reject(refused('body-malformed', 'The body broke off', 'a whole body', 'a part', error));
    };
    request.once('error', onCut);
    request.once('close', onCut);
  });
}

function tooLarge(request: IncomingMessage, got: string): CronmeshError {
  // What is still on its way is thrown away, so that the client gets to read the refusal.
  request.resume();
  return refused('body-too-large', 'The body is too large', `at most ${maxBodyBytes} bytes`, got);
}

function refused(
  code: ErrorCode,
  message: string,
  expected: string,
  got: string,
  cause?: unknown,
): CronmeshError {
  return new CronmeshError(code, message, {
    cause,
    problems: [{ field: '', message, expected, got }],
  });
}
