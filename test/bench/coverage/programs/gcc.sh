printf '#include <stdio.h>\nint add(int a, int b) { return a + b; }\n' > add.c
printf '#include <stdio.h>\nint add(int, int);\nint main(void) { printf("%%d\\n", add(1, 2)); return 0; }\n' > main.c
gcc -O1 -c add.c; gcc -pipe -o main main.c add.o; ./main > out; ar rcs libadd.a add.o; gcc -shared -fPIC -o libadd.so add.c; gcc -o linked main.c -L. -ladd; LD_LIBRARY_PATH=. ./linked; strip main; objdump -d main > dump
