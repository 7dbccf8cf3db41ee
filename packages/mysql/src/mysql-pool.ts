/** A value that is bound to a parameter. */
export type MysqlValue = string | number | null

/** A statement, with the options that count for it whatever those of the pool are. */
export interface MysqlStatement {
  sql: string
  rowsAsArray: boolean
  nestTables: boolean
  typeCast(field: { readonly type: string }, next: () => unknown): unknown
}

/** The members of a connection of `mysql2/promise` that are used. */
export interface MysqlConnection {
  query(statement: MysqlStatement): Promise<readonly [unknown, unknown]>
  execute(statement: MysqlStatement, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
  /** Gives the connection back to its pool. */
  release(): void
  /** Closes the connection at once. */
  destroy(): void
}

/** The members of a pool of `mysql2/promise` that are used. */
export interface MysqlPool {
  getConnection(): Promise<MysqlConnection>
}
