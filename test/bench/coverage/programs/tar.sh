mkdir -p in/x; for i in $(seq 30); do echo "$i" > "in/x/f$i"; done; ln -s f1 in/x/link; ln in/x/f2 in/x/hard
tar cf a.tar in; tar czf a.tgz in; mkdir out; tar xf a.tar -C out; tar xzf a.tgz -C out --overwrite; tar tf a.tgz > list
gzip -k a.tar; gunzip -c a.tar.gz | tar tf - > list2; rm -r in
