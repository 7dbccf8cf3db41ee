// Makes calls of a process fail with EIO: those that TORTURE_SWITCH names ("calls every paths", such as "ws 2 .info"),
// on files below TORTURE_DIRECTORY. While the switch is missing nothing fails.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) (name##_t *)dlsym(RTLD_NEXT, #name)

static unsigned calls_seen;

static int fails(char call, const char *path) {
  const char *directory = getenv("TORTURE_DIRECTORY"), *control = getenv("TORTURE_SWITCH");
  if (!directory || !control || strncmp(path, directory, strlen(directory))) return 0;
  int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY);
  if (file < 0) return 0;
  char text[256] = "", calls[32], paths[128];
  unsigned every;
  syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  if (sscanf(text, "%31s %u %127s", calls, &every, paths) != 3) return 0;
  if (!strchr(calls, call) || !strstr(path + strlen(directory), paths)) return 0;
  return __sync_add_and_fetch(&calls_seen, 1) % every == 0;
}

static int file_fails(char call, int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return fails(call, path);
}

#define FAIL_IF(condition) do { if (condition) { errno = EIO; return -1; } } while (0)

#define ON_FILE(call, result, name, parameters, ...)                                               \
  result name parameters {                                                                         \
    typedef result name##_t parameters;                                                            \
    FAIL_IF(file_fails(call, file));                                                               \
    return (REAL(name))(__VA_ARGS__);                                                              \
  }

ON_FILE('w', ssize_t, write, (int file, const void *bytes, size_t size), file, bytes, size)
ON_FILE('w', ssize_t, writev, (int file, const struct iovec *parts, int count), file, parts, count)
ON_FILE('w', ssize_t, pwrite64, (int file, const void *bytes, size_t size, off64_t at), file, bytes,
        size, at)
ON_FILE('w', ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at), file,
        parts, count, at)
ON_FILE('s', int, fsync, (int file), file)
ON_FILE('s', int, fdatasync, (int file), file)
ON_FILE('t', int, ftruncate64, (int file, off64_t size), file, size)

int rename(const char *from, const char *to) {
  typedef int rename_t(const char *, const char *);
  FAIL_IF(fails('r', from));
  return (REAL(rename))(from, to);
}

int unlink(const char *path) {
  typedef int unlink_t(const char *);
  FAIL_IF(fails('u', path));
  return (REAL(unlink))(path);
}
