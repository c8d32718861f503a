/*
 * Takes the recorder's place where there is no Node to run it, or one that is too old. An extension that does not register keeps
 * the function from starting; this one registers for no event and waits, so that the function runs, unobserved. Static, and in
 * need of no shell: images may have neither.
 *
 * Lambda Web Adapter may have been told to go through the recorder's proxy (layers/capture/prepare.ts): then its bytes are passed on.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDENTIFIER "lambda-extension-identifier:"

/* A connection to `host:port`; names are not looked up, the platform gives an address. */
static int dial(const char *address) {
  char host[64] = "";
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
  const char *colon = strrchr(address, ':');
  size_t length = colon == NULL ? strlen(address) : (size_t)(colon - address);
  int fd;

  if (length < sizeof host) memcpy(host, address, length);
  if (colon != NULL) to.sin_port = htons((unsigned short)atoi(colon + 1));
  if (inet_pton(AF_INET, host, &to.sin_addr) != 1) to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  perror("alastor: standby: no connection to the Extensions API");
  exit(1);
}

/* The value of the identifier's header in an answer, or NULL. Ends the value with NUL. */
static char *identifier(char *answer) {
  for (char *line = strchr(answer, '\n'); line != NULL; line = strchr(line, '\n')) {
    line++;
    if (strncasecmp(line, IDENTIFIER, sizeof IDENTIFIER - 1) != 0) continue;
    line += sizeof IDENTIFIER - 1;
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    return line;
  }
  return NULL;
}

/* Listens at `127.0.0.1:port` or `localhost:port`; -1 if that is not what it says, or the port is taken. */
static int hold(const char *told) {
  const char *colon = told == NULL ? NULL : strrchr(told, ':');
  struct sockaddr_in at = {.sin_family = AF_INET};
  size_t length = colon == NULL ? 0 : (size_t)(colon - told);
  int fd, yes = 1;

  if (!(length == 9 && (memcmp(told, "127.0.0.1", 9) == 0 || memcmp(told, "localhost", 9) == 0))) return -1;
  at.sin_port = htons((unsigned short)atoi(colon + 1));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (at.sin_port != 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 16) == 0) return fd;
  close(fd);
  return -1;
}

static int send_all(int fd, const char *bytes, ssize_t count) {
  for (ssize_t n; count > 0; bytes += n, count -= n)
    if ((n = send(fd, bytes, (size_t)count, MSG_NOSIGNAL)) <= 0) return 0;
  return 1;
}

/* Carries bytes both ways until both sides have ended. */
static void relay(int client, int platform) {
  static char bytes[65536];
  const int sides[2] = {client, platform};
  struct pollfd ends[2] = {{client, POLLIN, 0}, {platform, POLLIN, 0}};

  for (int open = 2; open > 0 && poll(ends, 2, -1) > 0;)
    for (int i = 0; i < 2; i++) {
      ssize_t n;
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      n = read(sides[i], bytes, sizeof bytes);
      if (n > 0 && send_all(sides[1 - i], bytes, n)) continue;
      shutdown(sides[1 - i], SHUT_WR);
      ends[i].fd = -1;
      open--;
    }
}

/* One process per connection: there are one or two, and they stay. */
static void serve(int listening, const char *address) {
  int client = accept(listening, NULL, NULL);
  if (client < 0) return;
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    relay(client, dial(address));
    _exit(0);
  }
  close(client);
}

int main(void) {
  static char answer[65536];
  const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
  const char *id;
  size_t got = 0;
  ssize_t n;
  int fd, held;

  fputs("{\"alastor\":\"no Node of version 22.15 or later found: this function is not audited. "
        "Attach the layer that brings one.\"}\n", stderr);
  if (address == NULL) return 1;
  /* Before the platform can start anything: who is told to come here must find somebody. */
  held = hold(getenv("AWS_LWA_LAMBDA_RUNTIME_API_PROXY"));
  signal(SIGCHLD, SIG_IGN);
  fd = dial(address);
  dprintf(fd,
          "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Name: alastor\r\n"
          "Content-Type: application/json\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{\"events\":[]}",
          address);
  while (got < sizeof answer - 1 && (n = read(fd, answer + got, sizeof answer - 1 - got)) > 0) got += (size_t)n;
  close(fd);
  id = identifier(answer);
  if (id == NULL) return 1;

  fd = dial(address);
  dprintf(fd, "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Identifier: %s\r\n\r\n", address, id);
  /* No event was asked for: this takes until the platform ends the instance. */
  for (struct pollfd waits[2] = {{fd, POLLIN, 0}, {held, POLLIN, 0}};;) {
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[0].revents != 0 && read(fd, answer, sizeof answer) <= 0) return 0;
    if (waits[1].revents != 0) serve(held, address);
  }
}
