export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
git init -q repo; cd repo; echo one > a; git add a; git commit -qm one; echo two >> a; git commit -qam two; git log --oneline | cat; git diff HEAD~1 | cat
git checkout -qb side; echo x > b; git add b; git commit -qm x; git checkout -q -; git merge -q side; cd ..; git clone -q repo clone; cd clone; git gc -q; git status
