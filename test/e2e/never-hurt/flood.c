/* Opens and closes a file as fast as it can: one event a round. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    for (long i = argc > 2 ? atol(argv[1]) : 0; i > 0; i--) {
        int fd = open(argv[2], O_RDONLY);
        if (fd < 0) return 1;
        close(fd);
    }
    return 0;
}
