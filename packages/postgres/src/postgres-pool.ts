/** A pool of connections: the members of a `Pool` of pg that are used. */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** A connection: the members of a `Client` of pg that are used. */
export interface PostgresConnection {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly Row[] }>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'notification', listener: (message: PostgresNotification) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'notification', listener: (message: PostgresNotification) => void): unknown
}

/** A connection of a pool. */
export interface PostgresPoolClient extends PostgresConnection {
  /** Gives it back, or closes it. */
  release(destroy?: boolean): void
}

/** A connection that only listens: the members of a `Client` of pg that are used. */
export interface PostgresListener extends PostgresConnection {
  connect(): Promise<unknown>
  end(): Promise<void>
}

/** A message that `NOTIFY` has sent. */
export interface PostgresNotification {
  readonly channel: string
  readonly payload?: string | undefined
}

/** A row of a result. */
export type Row = Readonly<Record<string, unknown>>
