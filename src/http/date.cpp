#include "http/date.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace weft::http {

namespace {

constexpr std::int64_t seconds_per_day = 86'400;
constexpr std::int64_t year_0 = -62'167'219'200;       // 0000-01-01 00:00:00
constexpr std::int64_t end_of_9999 = 253'402'300'799;  // 9999-12-31 23:59:59

struct CivilDate {
  int year;
  int month;  // 0 to 11
  int day;    // 1 to 31
};

// The Gregorian date of a day counted from 1970-01-01. Years are taken to begin in March, so that
// the leap day is the last one; 400 such years always have 146,097 days.
CivilDate civil_date(std::int64_t days_since_epoch) {
  constexpr std::int64_t days_per_era = 146'097;
  const std::int64_t days = days_since_epoch + 719'468;  // since 0000-03-01
  const std::int64_t era = (days >= 0 ? days : days - (days_per_era - 1)) / days_per_era;
  const std::int64_t day_of_era = days - era * days_per_era;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t march_month = (5 * day_of_year + 2) / 153;
  const std::int64_t month = march_month < 10 ? march_month + 2 : march_month - 10;
  return {static_cast<int>(year_of_era + era * 400 + (month < 2 ? 1 : 0)), static_cast<int>(month),
          static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1)};
}

void put_two_digits(char* out, int value) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void format_http_date(std::time_t when, char out[http_date_length]) {
  static constexpr char days[] = "ThuFriSatSunMonTueWed";  // 1970-01-01 was a Thursday
  static constexpr char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::int64_t seconds = std::clamp(static_cast<std::int64_t>(when), year_0, end_of_9999);
  std::int64_t day = seconds / seconds_per_day;
  int second = static_cast<int>(seconds % seconds_per_day);
  if (second < 0) {
    second += static_cast<int>(seconds_per_day);
    --day;
  }
  const CivilDate date = civil_date(day);
  const auto weekday = static_cast<std::size_t>((day % 7 + 7) % 7);

  std::memcpy(out, "DDD, dd MMM yyyy HH:MM:SS GMT", http_date_length);
  std::memcpy(out, days + weekday * 3, 3);
  put_two_digits(out + 5, date.day);
  std::memcpy(out + 8, months + date.month * 3, 3);
  put_two_digits(out + 12, date.year / 100);
  put_two_digits(out + 14, date.year % 100);
  put_two_digits(out + 17, second / 3600);
  put_two_digits(out + 20, second / 60 % 60);
  put_two_digits(out + 23, second % 60);
}

}  // namespace weft::http
