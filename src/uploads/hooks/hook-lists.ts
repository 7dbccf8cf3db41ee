import type { Hooks } from '../../hooks.js'

/** The hooks that run for each event, in the order in which they are called. */
export type HookLists = { readonly [Name in keyof Hooks]-?: readonly NonNullable<Hooks[Name]>[] }

/** Sorts hooks by their names. */
export function hookLists(all: readonly Hooks[]): HookLists {
  const named = <Name extends keyof Hooks>(name: Name) =>
    all.flatMap(({ [name]: hook }) => (hook === undefined ? [] : [hook]))
  return {
    access: named('access'),
    preCreate: named('preCreate'),
    postCreate: named('postCreate'),
    postReceive: named('postReceive'),
    preFinish: named('preFinish'),
    postFinish: named('postFinish'),
    preTerminate: named('preTerminate'),
    postTerminate: named('postTerminate'),
  }
}
