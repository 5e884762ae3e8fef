/** The TLS files that the settings name, read once at start. */
import { readFileSync } from 'node:fs';
import { CronmeshError, renderGot, type FieldProblem } from '../errors.ts';

export interface EtcdTlsFiles {
  readonly etcdCa?: string | undefined;
  readonly etcdCert?: string | undefined;
  readonly etcdKey?: string | undefined;
}

/** PEM, as the etcd client takes it. */
export interface EtcdCredentials {
  readonly rootCertificate?: Buffer;
  readonly certChain?: Buffer;
  readonly privateKey?: Buffer;
}

/** Undefined when no file is named. Throws `config-invalid` for files that cannot be read. */
export function readEtcdCredentials(files: EtcdTlsFiles): EtcdCredentials | undefined {
  const problems: FieldProblem[] = [];
  const read = (field: keyof EtcdTlsFiles): Buffer | undefined => {
    const file = files[field];
    if (file === undefined) return undefined;
    try {
      return readFileSync(file);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      problems.push({
        field,
        message: `cannot be read (${code})`,
        expected: 'a readable PEM file',
        got: renderGot(file),
      });
      return undefined;
    }
  };
  const rootCertificate = read('etcdCa');
  const certChain = read('etcdCert');
  const privateKey = read('etcdKey');
  if (problems.length > 0) {
    throw new CronmeshError('config-invalid', 'TLS files cannot be read', { problems });
  }
  if (rootCertificate === undefined && certChain === undefined) return undefined;
  return {
    ...(rootCertificate === undefined ? {} : { rootCertificate }),
    ...(certChain === undefined ? {} : { certChain }),
    ...(privateKey === undefined ? {} : { privateKey }),
  };
}
