/* Remembers what a process has synced, so that a power cut can be played: see synced.py.
 *
 * Loaded with LD_PRELOAD. Below the directory that SONGBIRD_SYNCED names it keeps
 *   files/INODE  the content of a file as it was when it was synced last,
 *   names/INODE  the entries of a directory as they were when it was synced last: "INODE NAME\n" each,
 *   held/INODE   a link to each synced file, so that its inode is not given to another one.
 * Nothing is remembered of files and directories whose paths hold SONGBIRD_SYNCED_FORGETS, if that is set: a disk that lies.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void place(char *path, size_t size, const char *kind, unsigned long inode) {
    snprintf(path, size, "%s/%s/%lu", getenv("SONGBIRD_SYNCED"), kind, inode);
}

static void give_up(const char *what) {
    perror(what);
    abort();
}

static void keep_file(int descriptor, const struct stat *found) {
    char source[64], path[4096], partial[4200], held[4096], part[1 << 16];
    off_t offset = 0;
    ssize_t count;
    place(path, sizeof path, "files", found->st_ino);
    place(held, sizeof held, "held", found->st_ino);
    snprintf(partial, sizeof partial, "%s.partial", path);
    snprintf(source, sizeof source, "/proc/self/fd/%d", descriptor);
    if (linkat(AT_FDCWD, source, AT_FDCWD, held, AT_SYMLINK_FOLLOW) && errno != EEXIST && errno != ENOENT)
        give_up("link");
    int from = open(source, O_RDONLY), to = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (from < 0 || to < 0) give_up("open");
    while ((count = pread(from, part, sizeof part, offset)) > 0) {
        if (write(to, part, count) != count) give_up("write");
        offset += count;
    }
    close(from);
    close(to);
    if (rename(partial, path)) give_up("rename");
}

static void keep_names(int descriptor, const struct stat *found) {
    char source[64], path[4096], partial[4200];
    place(path, sizeof path, "names", found->st_ino);
    snprintf(partial, sizeof partial, "%s.partial", path);
    snprintf(source, sizeof source, "/proc/self/fd/%d", descriptor);
    DIR *directory = opendir(source);
    FILE *names = fopen(partial, "w");
    if (!directory || !names) give_up("list");
    for (struct dirent *entry; (entry = readdir(directory));)
        fprintf(names, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(directory);
    if (fclose(names) || rename(partial, path)) give_up("rename");
}

static int is_forgotten(int descriptor) {
    const char *forgotten = getenv("SONGBIRD_SYNCED_FORGETS");
    char link[64], path[4096];
    if (!forgotten) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) give_up("readlink");
    path[length] = 0;
    return strstr(path, forgotten) != NULL;
}

static void remember(int descriptor) {
    struct stat found;
    if (!getenv("SONGBIRD_SYNCED") || is_forgotten(descriptor) || fstat(descriptor, &found)) return;
    int before = errno;
    pthread_mutex_lock(&lock);
    if (S_ISREG(found.st_mode)) keep_file(descriptor, &found);
    if (S_ISDIR(found.st_mode)) keep_names(descriptor, &found);
    pthread_mutex_unlock(&lock);
    errno = before;
}

typedef int (*sync_call)(int);

int fsync(int descriptor) {
    int result = ((sync_call)dlsym(RTLD_NEXT, "fsync"))(descriptor);
    if (!result) remember(descriptor);
    return result;
}

int fdatasync(int descriptor) {
    int result = ((sync_call)dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
    if (!result) remember(descriptor);
    return result;
}
