/* Every way in which C starts processes and opens files, libc's own short cuts included. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *const truth[] = {"true", NULL};
static char stack[65536];
static int in_clone(void *path) {
    execv(path, truth);
    _exit(1);
}
static int leave(void *code) { return *(int *)code; }
static void reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

int main(void) {
    pid_t pid = vfork();
    if (!pid) execl("/bin/true", "true", NULL), _exit(1);
    reap(pid);
    if (!(pid = vfork())) _exit(9);
    reap(pid);
    if (!(pid = fork())) execlp("true", "true", NULL), _exit(1);
    reap(pid);
    if (!(pid = fork())) execle("/bin/true", "true", NULL, environ), _exit(1);
    reap(pid);
    if (!(pid = fork())) execvpe("true", truth, environ), _exit(1);
    reap(pid);
    if (!(pid = fork())) {
        int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
        fexecve(fd, truth, environ), _exit(1);
    }
    reap(pid);
    posix_spawn(&pid, "/bin/true", NULL, NULL, truth, environ);
    reap(pid);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *const echo[] = {"echo", "hi", NULL};
    posix_spawnp(&pid, "echo", &actions, NULL, echo, environ);
    reap(pid);
    pid = clone(in_clone, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "/bin/true");
    reap(pid);
    int code = 5;
    pid = clone(leave, stack + sizeof stack, SIGCHLD, &code);
    reap(pid);
    if (!(pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) _exit(6);
    reap(pid);
    struct clone_args args = {.exit_signal = SIGCHLD};
    if (!(pid = (pid_t)syscall(SYS_clone3, &args, sizeof args))) execv("/bin/true", truth), _exit(1);
    reap(pid);
    if (!(pid = fork())) {
        if (!fork()) exit(3); /* left to init */
        exit(2);
    }
    reap(pid);
    if (!(pid = fork())) raise(SIGKILL);
    reap(pid);
    if (!(pid = fork())) abort();
    reap(pid);
    if (system("echo system > system; exit 3")) errno = 0;
    FILE *out = popen("cat > popened", "w");
    fputs("text", out);
    pclose(out);
    FILE *in = popen("echo text", "r");
    while (getc(in) != EOF) {
    }
    pclose(in);
    char name[] = "tempXXXXXX", name2[] = "tempXXXXXX.c";
    close(mkstemp(name));
    close(mkstemps(name2, 2));
    FILE *t = tmpfile();
    putc('x', t);
    fclose(t);
    FILE *f = fopen("stream", "w+");
    fprintf(f, "%d", 3);
    fclose(f);
    f = freopen("stream", "a", fopen("other", "w"));
    fputc('x', f);
    fclose(f);
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0 && write(fd, "x", 1) == 1) close(fd);
    fd = (int)syscall(SYS_openat, AT_FDCWD, "called", O_CREAT | O_WRONLY, 0600);
    syscall(SYS_write, fd, "x", 1);
    syscall(SYS_close, fd);
    syscall(SYS_mkdirat, AT_FDCWD, "made", 0700);
    syscall(SYS_renameat, AT_FDCWD, "called", AT_FDCWD, "renamed");
    syscall(SYS_linkat, AT_FDCWD, "renamed", AT_FDCWD, "linked", 0);
    syscall(SYS_symlinkat, "renamed", AT_FDCWD, "symbolic");
    syscall(SYS_ftruncate, fd = open("renamed", O_RDWR), 0);
    syscall(SYS_fchmod, fd, 0640);
    syscall(SYS_fchmodat, AT_FDCWD, "renamed", 0600);
    close(fd);
    fd = shm_open("/coverage-shared", O_CREAT | O_RDWR, 0600);
    if (fd >= 0 && ftruncate(fd, 10) == 0) close(fd);
    shm_unlink("/coverage-shared");
    mkfifo("fifo", 0600);
    if (!(pid = fork())) {
        fd = open("fifo", O_WRONLY);
        _exit(write(fd, "through", 7) != 7);
    }
    char room[8];
    fd = open("fifo", O_RDONLY);
    if (read(fd, room, 8) < 0) return 1;
    close(fd);
    reap(pid);
    int pair[2], ends[2];
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
    if (!(pid = fork())) {
        FILE *line = fdopen(ends[1], "w");
        putc_unlocked('x', line);
        fclose(line);
        _exit(write(pair[1], "pair", 4) != 4);
    }
    close(ends[1]);
    if (read(ends[0], room, 8) != 1 || read(pair[0], room, 8) != 4) return 1;
    reap(pid);
    remove("stream");
    if (daemon(1, 1) == 0) close(open("daemon", O_CREAT | O_WRONLY, 0600));
    quick_exit(0);
}
