import { expect, test } from 'vitest'
import { lastNumberOf, parseLog, targetOf, textsOf } from './strace-log.js'

test('a call has its arguments, the target of its descriptor, and its result', () => {
  const [call] = parseLog(
    '12 pwrite64(22</tmp/up/a>, "h\\"\\\\\\n\\303\\0llo) = 1", 12, 30) = 12\n',
  )
  expect(call).toMatchObject({ name: 'pwrite64', result: 12, begins: 0, ends: 0 })
  expect(targetOf(call!)).toBe('/tmp/up/a')
  expect(textsOf(call!)).toEqual(['h"\\\n\u00c3\0llo) = 1'])
  expect(lastNumberOf(call!)).toBe(30)
})

test('an interrupted call begins and ends in different lines', () => {
  const calls = parseLog(
    [
      '12 fdatasync(22</tmp/up/a> <unfinished ...>',
      '9  write(21<TCP:[127.0.0.1:1->127.0.0.1:2]>, "HTTP/1.1 204", 12 <unfinished ...>',
      '12 <... fdatasync resumed>)     = 0',
      '9  <... write resumed>)         = 12',
    ].join('\n'),
  )
  expect(calls.map(({ name, begins, ends }) => [name, begins, ends])).toEqual([
    ['fdatasync', 0, 2],
    ['write', 1, 3],
  ])
  expect(targetOf(calls[1]!)).toBe('TCP:[127.0.0.1:1->127.0.0.1:2]')
})

test('a failed call has a negative result, and lines that are not calls are left out', () => {
  const calls = parseLog(
    [
      '12 openat(AT_FDCWD</tmp>, "/tmp/up/a", O_RDWR|O_CREAT|O_EXCL, 0666) = -1 EEXIST (File exists)',
      '12 openat(AT_FDCWD</tmp>, "/tmp/up/b", O_RDONLY) = 22</tmp/up/b>',
      '12 --- SIGCHLD {si_signo=SIGCHLD} ---',
      '12 +++ exited with 0 +++',
    ].join('\n'),
  )
  expect(calls.map(({ result }) => result)).toEqual([-1, 22])
})

test('a text that strace cut off is an error', () => {
  const [call] = parseLog('12 write(22</tmp/up/a>, "hell"..., 5000) = 5000\n')
  expect(() => textsOf(call!)).toThrow('cut off')
})
