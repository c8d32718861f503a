/*
 * Asks the kernel three questions and prints the answers: may a process be traced, may a seccomp filter be added, may a user
 * namespace be made? Each is asked by a child of its own, since some sandboxes kill who asks, and given a second. Before that it
 * makes the named pipe whose path it is given.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int may_trace(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0; }

static int may_filter(void) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static int may_unshare_user(void) { return unshare(CLONE_NEWUSER) == 0; }

static int ask(int (*question)(void)) {
  int status;
  pid_t child = fork();
  if (child < 0) return 0;
  if (child == 0) {
    alarm(1);
    _exit(question() ? 7 : 1);
  }
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

int main(int count, char *arguments[]) {
  if (count > 1 && mkfifo(arguments[1], 0600)) perror(arguments[1]);
  /* Each answer counts, also when there is no time for the next. */
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("ptrace=%d\n", ask(may_trace));
  printf("seccomp=%d\n", ask(may_filter));
  printf("userns=%d\n", ask(may_unshare_user));
  return 0;
}
