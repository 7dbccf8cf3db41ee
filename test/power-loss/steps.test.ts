import { expect, test } from 'vitest'
import { eventsOf } from './disk-events.js'
import { stepsOf } from './steps.js'
import { parseLog } from './strace-log.js'

const uuid = '123e4567-e89b-42d3-a456-426614174000'

/** Returns the steps below `/up` for lines of a log. */
const steps = (...lines: string[]) =>
  stepsOf(eventsOf(parseLog(lines.map((line) => `7 ${line}`).join('\n')), '/up', ['old']))

test('each change of names, files and directories is a step', () => {
  expect(
    steps(
      'mkdir("/up/one", 0777) = 0',
      'openat(AT_FDCWD</>, "/up", O_RDONLY|O_CLOEXEC) = 9</up>',
      'fsync(9</up>) = 0',
      `openat(AT_FDCWD</>, "/up/one/${uuid}", O_RDWR|O_CREAT|O_EXCL, 0666) = 9</up/one/${uuid}>`,
      `pwritev(9</up/one/${uuid}>, [{iov_base="ab", iov_len=2}], 1, 5) = 2`,
      `ftruncate(9</up/one/${uuid}>, 6) = 0`,
      `fdatasync(9</up/one/${uuid}>) = 0`,
      `rename("/up/one/${uuid}", "/up/a") = 0`,
      'unlinkat(8</up>, "a", 0) = 0',
      'rmdir("/up/one") = 0',
    ),
  ).toEqual([
    'mkdir one',
    'sync .',
    'create one/*',
    'write one/*',
    'truncate one/*',
    'sync one/*',
    'rename one/* to a',
    'remove a',
    'remove one',
  ])
})

test('failed calls, other places and mere reads are not steps', () => {
  expect(
    steps(
      'mkdir("/up/one", 0777) = -1 EEXIST (File exists)',
      'write(1</elsewhere>, "a", 1) = 1',
      'openat(AT_FDCWD</>, "/up/a", O_RDONLY) = 9</up/a>',
      'openat(AT_FDCWD</>, "/up/old", O_RDWR|O_CREAT, 0666) = 9</up/old>',
      'openat(AT_FDCWD</>, "/up/new", O_RDWR|O_CREAT, 0666) = 9</up/new>',
    ),
  ).toEqual(['create new'])
})

test('a sync counts after a change, or when it is the first one in the log', () => {
  const write = 'write(9</up/a>, "a", 1) = 1'
  const sync = 'fsync(9</up/a>) = 0'
  expect(steps(sync, sync, write, sync, sync)).toEqual(['sync a', 'write a', 'sync a'])
})

test('responses are placed where they begin, after the calls that ended before', () => {
  const socket = '9<TCP:[127.0.0.1:1->127.0.0.1:2]>'
  expect(
    steps(
      `read(${socket}, "HEAD /a HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n", 100) = 30`,
      `write(${socket}, "HTTP/1.1 200 OK\\r\\nUpload-Offset: 7\\r\\n\\r\\n", 40 <unfinished ...>`,
      'fsync(9</up/a>) = 0',
      '<... write resumed>) = 40',
    ),
  ).toEqual(['response HEAD 200, offset 7', 'sync a'])
})

test('changes that overlap have no order', () => {
  const overlapping = () =>
    stepsOf(
      eventsOf(
        parseLog(
          '7 fsync(9</a> <unfinished ...>\n8 write(9</a>, "a", 1) = 1\n7 <... fsync resumed>) = 0',
        ),
        '/',
      ),
    )
  expect(overlapping).toThrow('sync a overlaps')
})
