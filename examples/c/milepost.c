/* Records one operation into Milepost's spool. docs/write-your-own-client.md explains each step.
 *
 *     cc -std=c99 -o record milepost.c
 *     MILEPOST_DATA=.milepost ./record search ok 183042 1.3.0
 */
#define _DEFAULT_SOURCE /* flock */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 1024, RECORD_BYTES = 2 * 6 * NAME_BYTES_MAX + 1024 }; /* each byte of a name is `\u00XX` at worst */

static const char *problem = ""; /* what could not be done; errno says why */

/* Closes a file (or none, -1) and returns -1, with errno as it was. */
static int cannot(const char *what, int file) {
    int error = errno;
    if (file >= 0) close(file);
    problem = what;
    errno = error;
    return -1;
}

static int is_set(const char *name) {
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

static int random_hex(char *hex, size_t bytes) {
    unsigned char random[32];
    int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, random, bytes) != (ssize_t)bytes) return cannot("get random numbers", file);
    for (size_t i = 0; i < bytes; i++) sprintf(hex + 2 * i, "%02x", random[i]);
    return close(file);
}

/* Makes a file with this content unless there is one, and never one with a part of it. */
static int make_once(int folder, const char *name, const char *content) {
    char unique[33], temporary[64];
    if (random_hex(unique, 16) < 0) return -1;
    snprintf(temporary, sizeof temporary, "%s.%.16s.tmp", name, unique);
    int file = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return cannot("make a file", -1);
    int written = write(file, content, strlen(content)) == (ssize_t)strlen(content) && fsync(file) == 0;
    if (!written) cannot("write a file", -1);
    int linked = written && (linkat(folder, temporary, folder, name, 0) == 0 || errno == EEXIST);
    if (written && !linked) cannot("make a file", -1);
    int error = errno;
    unlinkat(folder, temporary, 0);
    close(file);
    errno = error;
    return linked ? 0 : -1;
}

/* Reads a small file of the layout, whose version has to be 1; 0 where there is none. */
static int read_small(int folder, const char *name, char *text, size_t size) {
    int version = 0, file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno == ENOENT ? 0 : cannot("read the layout", -1);
    ssize_t bytes = read(file, text, size - 1);
    if (bytes < 0) return cannot("read the layout", file);
    close(file);
    text[bytes] = 0;
    const char *key = strstr(text, "\"version\":");
    if (!key || sscanf(key, "\"version\": %d", &version) != 1 || version != 1) {
        errno = EPROTO;
        return cannot("understand this version of the layout", -1);
    }
    return 1;
}

/* Whether no other account can put files into a folder, in the place of ours: it is ours or root's, and not everybody's to write. */
static int is_ours(int folder) {
    struct stat there;
    if (fstat(folder, &there) < 0) return 0;
    errno = EPERM;
    return (there.st_uid == geteuid() || there.st_uid == 0 || geteuid() == 0) && !(there.st_mode & S_IWOTH);
}

/* Opens DATA/spool and reads this machine's name. Whatever is missing is made; of several that do so at once, the first wins. */
static int open_spool(const char *data, char host[64]) {
    char text[4096], content[256], random[65], spool_id[33];
    if (mkdir(data, 0700) < 0 && errno != EEXIST) return cannot("make the data folder", -1);
    int folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), there;
    if (folder < 0) return cannot("open the data folder", -1);
    if (!is_ours(folder)) return cannot("trust the data folder", folder);
    if (mkdirat(folder, "spool", 0700) < 0 && errno != EEXIST) return cannot("make the spool", folder);
    int spool = openat(folder, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool < 0) return cannot("open the spool", folder);
    if (!is_ours(spool)) return close(spool), errno = EPERM, cannot("trust the spool", folder);
    while ((there = read_small(spool, "spool.json", text, sizeof text)) == 0) {
        int lock = openat(spool, "seal.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (lock < 0) { there = cannot("make seal.lock", -1); break; }
        close(lock);
        if ((there = random_hex(spool_id, 16)) < 0) break;
        snprintf(content, sizeof content, "{\"version\":1,\"id\":\"%s\"}", spool_id);
        if ((there = make_once(spool, "spool.json", content)) < 0) break;
    }
    while (there >= 0 && (there = read_small(folder, "identity.json", text, sizeof text)) == 0) {
        if ((there = random_hex(random, 32)) < 0 || (there = random_hex(spool_id, 6)) < 0) break;
        snprintf(content, sizeof content, "{\"version\":1,\"host\":\"h-%s\",\"key\":\"%s\"}", spool_id, random);
        if ((there = make_once(folder, "identity.json", content)) < 0) break;
    }
    const char *key = there > 0 ? strstr(text, "\"host\":") : NULL;
    if (there > 0 && (!key || sscanf(key, "\"host\": \"%63[A-Za-z0-9-]\"", host) != 1)) {
        errno = EPROTO;
        there = cannot("find the host in identity.json", -1);
    }
    int error = errno;
    close(folder);
    if (there <= 0) close(spool);
    errno = error;
    return there > 0 ? spool : -1;
}

/* One record is one write. The segment may be sealed, and so renamed, between open and lock: then the next one is opened. */
static int append(int spool, const char *record, size_t bytes) {
    for (;;) {
        struct stat opened, named;
        ssize_t written;
        int file = openat(spool, "shared.jsonl", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0) return cannot("open shared.jsonl", -1);
        while (flock(file, LOCK_SH) < 0)
            if (errno != EINTR) return cannot("lock shared.jsonl", file);
        if (fstat(file, &opened) < 0) return cannot("look at shared.jsonl", file);
        if (fstatat(spool, "shared.jsonl", &named, 0) == 0) {
            if (opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) {
                do written = write(file, record, bytes);
                while (written < 0 && errno == EINTR);
                if (written >= 0 && (size_t)written < bytes) errno = ENOSPC; /* a torn line, which costs only itself */
                int error = errno;
                flock(file, LOCK_UN); /* a child that another thread forks at this moment has the file open too */
                errno = error;
                if (written != (ssize_t)bytes) return cannot("write to shared.jsonl", file);
                return close(file);
            }
        } else if (errno != ENOENT) {
            return cannot("look at shared.jsonl", file);
        }
        close(file);
    }
}

/* Whether it can be a name: UTF-8 (RFC 3629), neither empty nor too long. */
static int is_name(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = strlen(text);
    while (*at) {
        int more = *at < 0x80 ? 0 : *at >= 0xC2 && *at <= 0xDF ? 1 : (*at & 0xF0) == 0xE0 ? 2 : *at >= 0xF0 && *at <= 0xF4 ? 3 : -1;
        if (more < 0 || (*at == 0xE0 && at[1] < 0xA0) || (*at == 0xED && at[1] > 0x9F)) return 0;
        if ((*at == 0xF0 && at[1] < 0x90) || (*at == 0xF4 && at[1] > 0x8F)) return 0;
        for (at++; more > 0; more--)
            if ((*at++ & 0xC0) != 0x80) return 0;
    }
    return bytes > 0 && bytes <= NAME_BYTES_MAX;
}

/* Writes `,"key":"text"`, with what JSON wants escaped. */
static char *put(char *to, const char *key, const char *text) {
    to += sprintf(to, ",\"%s\":\"", key);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == '"' || byte == '\\') to += sprintf(to, "\\u%04x", (unsigned)byte);
        else *to++ = *text;
    }
    *to++ = '"';
    *to = 0;
    return to;
}

/* Records an operation. 0: the system has it; 1: recording is off; -1: it is not recorded, and `problem` and errno say why. */
int milepost_operation(const char *operation, const char *outcome, long long duration_us, const char *version) {
    static const char *const outcomes[] = {"ok", "failed", "timeout", "cancelled"};
    const char *data = getenv("MILEPOST_DATA");
    char host[64], random[21], id[48], at[40], record[RECORD_BYTES], *to = record;
    struct timespec now;
    struct tm utc;
    int known = 0;
    if (is_set("DO_NOT_TRACK") || is_set("MILEPOST_DISABLED")) return 1;
    for (int i = 0; i < 4; i++) known |= strcmp(outcome, outcomes[i]) == 0;
    errno = EINVAL;
    if (!data || !*data) return cannot("tell where the data are: MILEPOST_DATA is not set", -1);
    if (!known) return cannot("take this outcome", -1);
    if (!is_name(operation) || (version && !is_name(version))) return cannot("take this name", -1);
    if (duration_us < 0 || duration_us > 366LL * 24 * 3600 * 1000000) return cannot("take this duration", -1);
    int spool = open_spool(data, host);
    if (spool < 0) return -1;
    if (random_hex(random, 10) < 0) return cannot(problem, spool);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t seconds = strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(at + seconds, sizeof at - seconds, ".%06ldZ", now.tv_nsec / 1000);
    unsigned long long ms = (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
    snprintf(id, sizeof id, "%08llx-%04llx-7%.3s-%c%.3s-%.12s", ms >> 16, ms & 0xFFFF, random, "89ab"[random[3] & 3], random + 4,
             random + 7);
    to += sprintf(to, "\n{\"v\":1,\"kind\":\"operation\",\"id\":\"%s\",\"at\":\"%s\",\"origin\":\"use\"", id, at);
    to = put(to, "operation", operation);
    to += sprintf(to, ",\"outcome\":\"%s\",\"duration_us\":%lld", outcome, duration_us);
    if (version) to = put(to, "version", version);
    to += sprintf(to, ",\"host\":\"%s\",\"attributes\":{\"door\":\"c\"}}\n", host);
    if (append(spool, record, (size_t)(to - record)) < 0) return cannot(problem, spool);
    return close(spool);
}

int main(int count, char **given) {
    char *end = NULL;
    long long duration_us = count >= 4 ? strtoll(given[3], &end, 10) : -1;
    if (count < 4 || count > 5 || end == given[3] || *end) {
        fprintf(stderr, "usage: %s OPERATION ok|failed|timeout|cancelled MICROSECONDS [VERSION]\n", given[0]);
        return 2;
    }
    if (milepost_operation(given[1], given[2], duration_us, given[4]) >= 0) return 0;
    fprintf(stderr, "not recorded: cannot %s: %s\n", problem, strerror(errno));
    return 4;
}
