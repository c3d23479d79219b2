#include "ksvc/router/trait_choice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ksvc/router/kernel_recording.hpp"

namespace weft::ksvc {
namespace {

std::vector<TraitChoice> choices_on(const KernelFeatures& features,
                                    std::optional<BackendKind> forced = std::nullopt) {
  return choose_traits(features, choose_backend(features, forced));
}

TraitChoice choice_of(const std::vector<TraitChoice>& choices, const std::string& trait) {
  const auto found = std::ranges::find(choices, trait, &TraitChoice::trait);
  return found != choices.end() ? *found : TraitChoice{"", "", ""};
}

TEST(TraitChoice, names_every_trait_once_with_a_choice_and_a_reason) {
  for (const std::string& release : recorded_releases()) {
    const auto choices = choices_on(load_kernel_recording(release));
    ASSERT_EQ(choices.size(), 8U) << release;
    for (const char* const trait :
         {"router", "back end", "pool", "notifier", "sink", "buffers", "page", "clock"}) {
      const TraitChoice choice = choice_of(choices, trait);
      EXPECT_STRNE(choice.choice, "") << trait;
      EXPECT_FALSE(choice.reason.empty()) << trait;
    }
  }
}

TEST(TraitChoice, a_kernel_of_6_1_gets_io_uring_and_its_buffers) {
  const auto choices = choices_on(load_kernel_recording("6.1"));
  EXPECT_STREQ(choice_of(choices, "back end").choice, "BasicIoUring");
  EXPECT_STREQ(choice_of(choices, "buffers").choice, "ProvidedBufferRing");
}

TEST(TraitChoice, a_kernel_of_5_15_gets_epoll_and_buffers_on_the_heap) {
  const auto choices = choices_on(load_kernel_recording("5.15"));
  EXPECT_STREQ(choice_of(choices, "back end").choice, "Epoll");
  EXPECT_STREQ(choice_of(choices, "buffers").choice, "HeapBuffers");
  EXPECT_NE(choice_of(choices, "router").reason.find("without a ring"), std::string::npos);
  EXPECT_NE(choice_of(choices, "back end").reason.find("provided buffer rings"), std::string::npos);
}

TEST(TraitChoice, the_routers_reason_counts_what_the_kernel_can_do) {
  const auto reason_on = [](const char* release) {
    return choice_of(choices_on(load_kernel_recording(release)), "router").reason;
  };
  EXPECT_NE(reason_on("6.1").find("a newer one does more"), std::string::npos) << reason_on("6.1");
  EXPECT_NE(reason_on("6.18").find("does all"), std::string::npos) << reason_on("6.18");
  EXPECT_NE(choice_of(choices_on(KernelFeatures{}), "router").reason.find("without a ring"),
            std::string::npos);
}

TEST(TraitChoice, a_wish_that_cannot_be_met_leaves_no_back_end) {
  KernelFeatures features;
  features.io_uring_refusal = "io_uring is switched off";
  const auto choices = choices_on(features, BackendKind::io_uring);
  EXPECT_STREQ(choice_of(choices, "back end").choice, "none");
  EXPECT_NE(choice_of(choices, "back end").reason.find("switched off"), std::string::npos);
  EXPECT_STREQ(choice_of(choices, "buffers").choice, "none");
}

}  // namespace
}  // namespace weft::ksvc
