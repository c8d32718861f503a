import os, subprocess, multiprocessing, sys, signal, concurrent.futures
def square(x):
    with open(f'mp-{x}', 'w') as f: f.write(str(x))
    return x * x
if __name__ == '__main__':
    subprocess.run(['/bin/echo', 'one'], stdout=subprocess.DEVNULL)
    subprocess.check_output('echo two | cat', shell=True)
    subprocess.run(['cat'], input=b'three', stdout=subprocess.PIPE, env={})
    p = subprocess.Popen(['sleep', '60']); p.terminate(); p.wait()
    p = subprocess.Popen(['sh', '-c', 'exit 5'], start_new_session=True, preexec_fn=lambda: None); p.wait()
    os.system('echo four > four; exit 2')
    os.popen('cat four').read()
    pid = os.posix_spawn('/bin/true', ['true'], os.environ); os.waitpid(pid, 0)
    pid = os.posix_spawnp('true', ['true'], {}); os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0: os._exit(7)
    os.waitpid(pid, 0)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0: os.write(w, b'up'); os._exit(0)
    os.read(r, 2); os.waitpid(pid, 0)
    pool = multiprocessing.Pool(2); pool.map(square, range(4))
    pool.close(); pool.join()  # leaving it to `with` kills the workers, whose totals are then lost
    q = multiprocessing.get_context('spawn').Process(target=square, args=(9,)); q.start(); q.join()
    with concurrent.futures.ThreadPoolExecutor(4) as pool: list(pool.map(square, range(10, 14)))
    try: subprocess.run(['/does/not/exist'])
    except FileNotFoundError: pass
    os.execv('/bin/sh', ['sh', '-c', 'exit 6'])
