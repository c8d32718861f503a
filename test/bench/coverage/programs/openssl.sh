openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out c.pem -days 1 -subj /CN=localhost 2>/dev/null
echo secret > plain; openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in plain -out enc; openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:x -in enc -out dec
openssl dgst -sha256 plain > digest; openssl x509 -in c.pem -noout -text > text; openssl rand -hex 8 > rand
port=$(cat port)
openssl s_server -accept "127.0.0.1:$port" -cert c.pem -key k.pem -naccept 1 -quiet > served 2>&1 < /dev/null &
server=$!
for _ in $(seq 50); do
  (sleep 0.1; echo hello) | openssl s_client -connect "127.0.0.1:$port" -quiet > said 2>&1 && break
  sleep 0.1
done
kill $server 2> /dev/null
wait
