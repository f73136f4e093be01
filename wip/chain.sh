cd /work/lab; . venv/bin/activate
exec taskset -c 0 nice -n -5 python train.py --out run1 --steps 1350 --decay 700 --judged 5 --pairs 3 --eval_every 300
