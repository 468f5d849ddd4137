/* What zstd expects of a system and WASI has not: owners and modes of files, priorities. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#define chmod(path, mode) 0
#define fchmod(fd, mode) 0
#define chown(path, owner, group) 0
#define fchown(fd, owner, group) 0
#define umask(mode) 0
#define getpriority(a, b) 0
#define setpriority(a, b, c) 0
