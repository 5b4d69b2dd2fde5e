/* Writes down what a process does to a SQLite database, so that a loss of power can be played: LD_PRELOAD, and the
 * journal's path in POWER_JOURNAL.
 *
 * A record is a head of four numbers, then the bytes of a write. What counts for a sync is where the journal ended when
 * it began: whatever is written while it runs may miss it. Watched are files that end in .db and .db-wal; the -shm file
 * is made anew after a crash. Source: https://sqlite.org/wal.html */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE = 2, SYNC = 3 };
enum { NOT_WATCHED = 0, DATABASE = 1, WAL = 2 };
struct head { uint64_t kind, file, offset, length; };

#define DESCRIPTORS 4096
static unsigned char watched[DESCRIPTORS];
static int journal = -1;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

__attribute__((constructor)) static void open_journal(void) {
    const char *path = getenv("POWER_JOURNAL");
    if (path) journal = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
}

static int file_of(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS && journal >= 0 ? watched[descriptor] : NOT_WATCHED;
}

static void watch(int descriptor, const char *path) {
    size_t length = strlen(path);
    if (descriptor < 0 || descriptor >= DESCRIPTORS) return;
    watched[descriptor] = NOT_WATCHED;
    if (length > 3 && !strcmp(path + length - 3, ".db")) watched[descriptor] = DATABASE;
    if (length > 7 && !strcmp(path + length - 7, ".db-wal")) watched[descriptor] = WAL;
}

static void note(uint64_t kind, int file, uint64_t offset, uint64_t length, const void *bytes) {
    struct head head = {kind, (uint64_t)file, offset, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, bytes ? length : 0}};
    if (writev(journal, parts, bytes ? 2 : 1) < 0) abort();
}

static ssize_t noted(int descriptor, const void *bytes, ssize_t done, off_t offset) {
    if (done > 0) note(WRITE, file_of(descriptor), (uint64_t)offset, (uint64_t)done, bytes);
    return done;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        int mode = va_arg(rest, int); \
        va_end(rest); \
        int descriptor = real(path, flags, mode); \
        watch(descriptor, path); \
        return descriptor; \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int descriptor, const void *bytes, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (!file_of(descriptor)) return real(descriptor, bytes, length);
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    return noted(descriptor, bytes, real(descriptor, bytes, length), offset);
}

#define PWRITE(name) \
    ssize_t name(int descriptor, const void *bytes, size_t length, off_t offset) { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t); \
        ssize_t done = real(descriptor, bytes, length, offset); \
        return file_of(descriptor) ? noted(descriptor, bytes, done, offset) : done; \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define FTRUNCATE(name) \
    int name(int descriptor, off_t length) { \
        REAL(int, #name, int, off_t); \
        int failed = real(descriptor, length); \
        if (!failed && file_of(descriptor)) note(TRUNCATE, file_of(descriptor), 0, (uint64_t)length, 0); \
        return failed; \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define SYNC(name) \
    int name(int descriptor) { \
        REAL(int, #name, int); \
        off_t end = file_of(descriptor) ? lseek(journal, 0, SEEK_END) : 0; \
        int failed = real(descriptor); \
        if (!failed && file_of(descriptor)) note(SYNC, file_of(descriptor), (uint64_t)end, 0, 0); \
        return failed; \
    }
SYNC(fsync)
SYNC(fdatasync)
