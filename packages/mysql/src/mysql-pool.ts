/** A value that is bound to a parameter. */
export type MysqlValue = string | number | null

/** The members of a connection of `mysql2/promise` that are used. */
export interface MysqlConnection {
  query(sql: string): Promise<readonly [unknown, unknown]>
  execute(sql: string, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
  /** Gives the connection back to its pool. */
  release(): void
  /** Closes the connection at once. */
  destroy(): void
}

/** The members of a pool of `mysql2/promise` that are used. */
export interface MysqlPool {
  getConnection(): Promise<MysqlConnection>
}
