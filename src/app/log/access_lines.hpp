// AccessLines: makes the lines of an access log, of records.
//
// Its format never changes. What makes lines is called by one thread, that which writes the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/log/access_format.hpp"
#include "app/log/access_memory.hpp"
#include "app/log/access_record.hpp"
#include "app/log/line_queue.hpp"

namespace weft::app {

// The status that stands for no answer at all, because the client went.
inline constexpr int kClientGone = 499;

class AccessLines final : public LineMaker {
 public:
  explicit AccessLines(const AccessFormat& format);

  // What a record has a text for, in order.
  const std::vector<AccessPiece>& texts() const noexcept { return texts_; }
  void make(std::string_view record, LineText& text) override;

 private:
  // A part of a line, and the text in front of it.
  struct Piece {
    AccessPiece::Kind kind = AccessPiece::Kind::text;  // text: that is all
    std::uint32_t size = 0;
    std::string words{};  // the text, filled up to whole words
  };

  char* put_pieces(char* out, const AccessRecord& record, RecordTexts texts);
  char* put_time(char* out, AccessPiece::Kind kind, const AccessRecord& record);
  char* put_json(char* out, const AccessRecord& record, RecordTexts texts);
  void end_piece(AccessPiece::Kind kind, std::string_view text);

  const bool json_;
  std::vector<Piece> pieces_;
  std::vector<AccessPiece> texts_;
  std::size_t own_bytes_ = 0;  // room for a line's parts that are no texts of a record
  AccessMemory memory_;
};

}  // namespace weft::app
