import type { Schema } from '../schema.js'
import type { Tables } from '../tables.js'

/** Returns the table of locks. Never change a step: add another one. */
export function locksSchema(tables: Tables): Schema {
  return {
    owner: 'PostgresLocker',
    part: 'locks',
    tables,
    oldest: 1,
    steps: [
      `CREATE SEQUENCE ${tables.tokens};
      CREATE TABLE ${tables.locks} (
        id text COLLATE "C" PRIMARY KEY,
        token bigint NOT NULL,
        caller text NOT NULL,
        held boolean NOT NULL,
        forced boolean NOT NULL,
        lease_until timestamptz NOT NULL,
        writers integer NOT NULL,
        readers integer NOT NULL,
        declined integer NOT NULL
      )`,
    ],
  }
}
