// Makes calls of a process fail: those that TORTURE_SWITCH names ("calls every paths errno", such
// as "ws 2 .info 5"), on files below TORTURE_DIRECTORY. While there is no such switch, no call
// fails. The calls: o open, l look at, d list, p read, w write, s sync, t truncate, m make a
// folder, r rename, u remove.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) (name##_t *)dlsym(RTLD_NEXT, #name)

static unsigned calls_seen;

// Returns the error of the call, or 0.
static int fails(char call, const char *path) {
  const char *directory = getenv("TORTURE_DIRECTORY"), *control = getenv("TORTURE_SWITCH");
  if (!directory || !control || strncmp(path, directory, strlen(directory))) return 0;
  int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY);
  if (file < 0) return 0;
  char text[256] = "", calls[32], paths[128];
  unsigned every;
  int error;
  syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (sscanf(text, "%31s %u %127s %d", calls, &every, paths, &error) != 4) return 0;
  if (!strchr(calls, call) || !strstr(path + strlen(directory), paths)) return 0;
  return __sync_add_and_fetch(&calls_seen, 1) % every == 0 ? error : 0;
}

static int file_fails(char call, int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return fails(call, path);
}

#define FAIL(failure, result)                                                                      \
  do {                                                                                             \
    int error = failure;                                                                           \
    if (error) {                                                                                   \
      errno = error;                                                                               \
      return result;                                                                               \
    }                                                                                              \
  } while (0)

#define ON_FILE(call, result, name, parameters, ...)                                               \
  result name parameters {                                                                         \
    typedef result name##_t parameters;                                                            \
    FAIL(file_fails(call, file), -1);                                                              \
    return (REAL(name))(__VA_ARGS__);                                                              \
  }

#define ON_PATH(call, result, failed, name, parameters, ...)                                       \
  result name parameters {                                                                         \
    typedef result name##_t parameters;                                                            \
    FAIL(fails(call, path), failed);                                                               \
    return (REAL(name))(__VA_ARGS__);                                                              \
  }

ON_FILE('p', ssize_t, read, (int file, void *bytes, size_t size), file, bytes, size)
ON_FILE('p', ssize_t, pread64, (int file, void *bytes, size_t size, off_t at), file, bytes, size,
        at)
ON_FILE('w', ssize_t, write, (int file, const void *bytes, size_t size), file, bytes, size)
ON_FILE('w', ssize_t, writev, (int file, const struct iovec *parts, int count), file, parts, count)
ON_FILE('w', ssize_t, pwrite64, (int file, const void *bytes, size_t size, off64_t at), file, bytes,
        size, at)
ON_FILE('w', ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at), file,
        parts, count, at)
ON_FILE('s', int, fsync, (int file), file)
ON_FILE('s', int, fdatasync, (int file), file)
ON_FILE('t', int, ftruncate64, (int file, off64_t size), file, size)

ON_PATH('m', int, -1, mkdir, (const char *path, mode_t mode), path, mode)
ON_PATH('r', int, -1, rename, (const char *path, const char *to), path, to)
ON_PATH('u', int, -1, unlink, (const char *path), path)
ON_PATH('u', int, -1, rmdir, (const char *path), path)
ON_PATH('d', DIR *, NULL, opendir, (const char *path), path)
ON_PATH('d', int, -1, scandir64,
        (const char *path, struct dirent64 ***names, int (*wanted)(const struct dirent64 *),
         int (*order)(const struct dirent64 **, const struct dirent64 **)),
        path, names, wanted, order)

int open64(const char *path, int flags, ...) {
  typedef int open64_t(const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FAIL(fails('o', path), -1);
  return (REAL(open64))(path, flags, mode);
}

// Node looks at files with statx, which it calls by its number.
long syscall(long number, ...) {
  typedef long syscall_t(long, ...);
  va_list rest;
  long given[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_statx) {
    const char *path = (const char *)given[1];
    FAIL(*path ? fails('l', path) : file_fails('l', (int)given[0]), -1);
  }
  return (REAL(syscall))(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
