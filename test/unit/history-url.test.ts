import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { systemClock } from '../../shared/clock.ts';
import { CronmeshError } from '../../shared/errors.ts';
import { parseHistoryUrl, redactHistoryUrl } from '../../shared/history/history-url.ts';
import { openHistory } from '../../shared/history/open-history.ts';

const deps = { logger: pino({ level: 'silent' }), clock: systemClock };

describe('history URL', () => {
  it('takes a file, relative to the working directory or absolute', () => {
    assert.deepEqual(parseHistoryUrl('sqlite:/var/lib/h.db'), {
      store: 'sqlite',
      file: '/var/lib/h.db',
    });
    assert.deepEqual(parseHistoryUrl('sqlite:///var/lib/h.db'), {
      store: 'sqlite',
      file: '/var/lib/h.db',
    });
    assert.deepEqual(parseHistoryUrl('sqlite:data/a b.db'), {
      store: 'sqlite',
      file: resolve('data/a b.db'),
    });
  });

  it("takes MongoDB's URLs, and the database from their path", () => {
    const databases = {
      'mongodb://localhost': 'cronmesh',
      'mongodb://localhost/': 'cronmesh',
      'mongodb://localhost/?replicaSet=rs0': 'cronmesh',
      'mongodb://u:p@a:1,b:2/history?w=1': 'history',
      'mongodb+srv://cluster.example.org/my%2Dhistory': 'my-history',
      'mongodb://%2Ftmp%2Fmongo.sock/x': 'x',
    };
    for (const [url, database] of Object.entries(databases)) {
      assert.deepEqual(parseHistoryUrl(url), { store: 'mongodb', url, database });
    }
  });

  it('refuses everything else, with the forms that it expects, and never shows a password', () => {
    const bad = [
      '',
      'history.db',
      'sqlite:',
      'sqlite::memory:',
      'sqlite:folder/',
      'sqlite://host/file.db',
      'sqlite:a\0b',
      'postgres://ann:secret-word@localhost/x',
      'mongodb://',
      'mongodb:localhost',
      'MONGODB://localhost',
      'mongodb://ann:secret-word@localhost/a.b',
      'mongodb://ann:secret-word@localhost/%zz',
      'mongodb://ann:secret-word@localhost/x?unknownOption=1',
      'mongodb://ann:secret-word@localhost:port/x',
      'mongodb://ann:secret@-word@localhost/x',
      'mongodb://ann:secret-word@/x',
      'mongodb://ann:%zz-secret-word@localhost/x',
      'mongodb+srv://ann:secret-word@localhost:27017/x',
    ];
    for (const url of bad) {
      assert.throws(
        () => openHistory(url, deps),
        (error: unknown) => {
          assert.ok(error instanceof CronmeshError, url);
          assert.equal(error.code, 'config-invalid', url);
          const shown = JSON.stringify([error.message, error.problems, String(error.cause)]);
          assert.match(shown, /mongodb:\/\/HOST.*sqlite:FILE/, url);
          assert.doesNotMatch(shown, /secret|-word/, url);
          return true;
        },
      );
    }
  });

  it('has a form to show', () => {
    assert.equal(
      redactHistoryUrl('mongodb+srv://ann:secret@host/x?a=b'),
      'mongodb+srv://***@host/x?a=b',
    );
    assert.equal(redactHistoryUrl('mongodb://a:b@c:1,d:2/x'), 'mongodb://***@c:1,d:2/x');
    assert.equal(redactHistoryUrl('mongodb://host/x'), 'mongodb://host/x');
    assert.equal(redactHistoryUrl('sqlite:a@b.db'), 'sqlite:a@b.db');
  });

  it('makes a store without touching anything', async () => {
    for (const url of ['sqlite:/nowhere/at/all.db', 'mongodb://127.0.0.1:1/x']) {
      const store = openHistory(url, deps);
      await store.start();
      await store.stop();
    }
  });
});
