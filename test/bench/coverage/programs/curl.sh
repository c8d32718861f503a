port=$(cat port)
curl -s "http://127.0.0.1:$port/in" -o out
curl -s -T out "http://127.0.0.1:$port/put" > answer
curl -s -d @out "http://127.0.0.1:$port/post" | wc -c > count
curl -s "http://localhost:$port/name" -D head -o body
curl -s http://127.0.0.1:1/ || true
