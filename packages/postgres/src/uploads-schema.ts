import type { Schema } from './schema.js'
import type { Tables } from './tables.js'

/** Returns the table of records. Never change a step: add another one. */
export function uploadsSchema(tables: Tables): Schema {
  const { uploads, expiry } = tables
  return {
    owner: 'PostgresInfoStore',
    part: 'uploads',
    tables,
    oldest: 1,
    steps: [
      `CREATE TABLE ${uploads} (
        id text COLLATE "C" PRIMARY KEY,
        revision bigint NOT NULL,
        record jsonb NOT NULL,
        expires_at timestamptz
      );
      CREATE INDEX ${expiry} ON ${uploads} (expires_at, id) WHERE expires_at IS NOT NULL`,
    ],
  }
}
