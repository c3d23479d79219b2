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

std::int64_t days_since_epoch(const CivilDate& date) {
  const int year = date.year - (date.month < 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t march_month = (date.month + 10) % 12;
  const std::int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

int digit_at(std::string_view text, std::size_t at) {
  return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : -1'000'000;
}

// Negative when there is no number.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  int number = 0;
  for (std::size_t i = 0; i < digits; ++i) number = number * 10 + digit_at(text, at + i);
  return number;
}

// From 0; negative when there is none.
int month_at(std::string_view text, std::size_t at) {
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t found = months.find(text.substr(at, 3));
  return found == std::string_view::npos || found % 3 != 0 ? -1 : static_cast<int>(found / 3);
}

std::optional<std::int64_t> seconds_of(const CivilDate& date, std::string_view time) {
  const int hour = number_at(time, 0, 2);
  const int minute = number_at(time, 3, 2);
  const int second = number_at(time, 6, 2);
  const bool good = date.year >= 0 && date.month >= 0 && date.day >= 1 && date.day <= 31 &&
                    hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 &&
                    second <= 60 && time[2] == ':' && time[5] == ':';
  if (!good) return std::nullopt;
  return days_since_epoch(date) * seconds_per_day + hour * 3600 + minute * 60 + second;
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

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  // "Sun, 06 Nov 1994 08:49:37 GMT"
  if (text.size() == http_date_length && text.substr(3, 2) == ", " && text.ends_with(" GMT")) {
    return seconds_of({number_at(text, 12, 4), month_at(text, 8), number_at(text, 5, 2)},
                      text.substr(17));
  }
  // "Sun Nov  6 08:49:37 1994"
  if (text.size() == 24 && text[3] == ' ') {
    const int day = text[8] == ' ' ? number_at(text, 9, 1) : number_at(text, 8, 2);
    return seconds_of({number_at(text, 20, 4), month_at(text, 4), day}, text.substr(11));
  }
  // "Sunday, 06-Nov-94 08:49:37 GMT"
  const std::size_t comma = text.find(", ");
  if (comma == std::string_view::npos || text.size() != comma + 24 || !text.ends_with(" GMT")) {
    return std::nullopt;
  }
  const std::string_view rest = text.substr(comma + 2);
  // Of two digits; there was no web before 1970.
  const int short_year = number_at(rest, 7, 2);
  const int year = short_year + (short_year < 70 ? 2000 : 1900);
  return seconds_of({short_year < 0 ? -1 : year, month_at(rest, 3), number_at(rest, 0, 2)},
                    rest.substr(10));
}

}  // namespace weft::http
