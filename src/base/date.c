#include "base/date.h"

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};
static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/*
 * Years are counted from 1 March, so that the leap day is the last of its
 * year; 719468 days lie between 0000-03-01 and 1970-01-01, and 146097 days
 * make one cycle of 400 years.
 */
struct date date_of(int64_t t)
{
	int64_t days = t / 86400, rest = t % 86400;
	int64_t era, doe, yoe, doy, mp;
	struct date d;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	d.hour = (int)(rest / 3600);
	d.minute = (int)(rest / 60 % 60);
	d.second = (int)(rest % 60);
	d.weekday = (int)((days % 7 + 11) % 7);
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	d.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	d.year = yoe + era * 400 + (d.month <= 2);
	return d;
}

int64_t date_seconds(struct date d)
{
	int64_t y = d.year - (d.month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	int64_t days = era * 146097 + doe - 719468;

	return days * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
}

void date_add_822(struct buf *b, int64_t t)
{
	struct date d = date_of(t);

	buf_addf(b, "%d %s %lld %02d:%02d:%02d -0000", d.day, months[d.month - 1], (long long)d.year, d.hour, d.minute,
		 d.second);
}

void date_add_mbox(struct buf *b, int64_t t)
{
	struct date d = date_of(t);

	buf_addf(b, "%s %s %02d %02d:%02d:%02d %lld", weekdays[d.weekday], months[d.month - 1], d.day, d.hour, d.minute,
		 d.second, (long long)d.year);
}

void date_add_compact(struct buf *b, int64_t t)
{
	struct date d = date_of(t);

	buf_addf(b, "%04lld%02d%02d%02d%02d%02d", (long long)d.year, d.month, d.day, d.hour, d.minute, d.second);
}
